//! Series, events, milestones and structured targets: what markets are about (Kalshi, REST).

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::floor::Floor;
use super::super::frames::{multiplier, rfc3339};
use super::Answer;
use super::market::market_json;
use super::query::Params;
use crate::core::{Event, Exchange, Market, Milestone, Series};

/// `GET /events`
pub(super) async fn events(State(app): State<App>, params: Params) -> Answer<Json<Value>> {
    let page = params.page(200, 200)?;
    let nested = params.flag("with_nested_markets")?;
    let with_milestones = params.flag("with_milestones")?;
    let status = params.text("status").map(str::to_owned);
    if let Some(word) = &status
        && !matches!(word.as_str(), "unopened" | "open" | "closed" | "settled")
    {
        return Err(ApiError::bad_query("status is invalid"));
    }
    let min_close = params.number("min_close_ts")?;
    let answer = app.floor.ask(move |floor| {
        let exchange = &floor.exchange;
        let tickers = params.list("tickers");
        let listed = exchange.events().filter(|event| {
            let any = |test: &dyn Fn(&Market) -> bool| markets_of(exchange, event).any(test);
            let closes = |market: &Market| {
                let close = i64::try_from(market.spec.close_time.as_secs()).unwrap_or(i64::MAX);
                min_close.is_none_or(|min| close > min)
            };
            params.text("series_ticker").is_none_or(|series| series == &*event.series_ticker)
                && tickers.as_ref().is_none_or(|all| all.contains(&&*event.ticker))
                && status
                    .as_deref()
                    .is_none_or(|word| any(&|market| market.status.filter_word() == Some(word)))
                && (min_close.is_none() || any(&closes))
        });
        let (events, cursor) = page.cut(
            listed,
            |event| event.ticker.to_string(),
            |event| event_json(exchange, event, nested),
        );
        let mut answer = json!({ "events": events, "cursor": cursor });
        if with_milestones {
            answer["milestones"] = exchange.milestones().iter().map(milestone_json).collect();
        }
        answer
    });
    Ok(Json(answer.await?))
}

/// `GET /events/{ticker}`
pub(super) async fn event(
    State(app): State<App>,
    Path(ticker): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let nested = params.flag("with_nested_markets")?;
    let answer = app.floor.ask(move |floor| {
        let exchange = &floor.exchange;
        let event = exchange.event(&ticker).ok_or_else(|| ApiError::not_found("event"))?;
        let markets: Vec<Value> = markets_of(exchange, event).map(market_json).collect();
        // The same markets at the old place, unless they are nested.
        let outside = if nested { Vec::new() } else { markets };
        let event = event_json(exchange, event, nested);
        Ok::<_, ApiError>(json!({ "event": event, "markets": outside }))
    });
    Ok(Json(answer.await??))
}

/// `GET /events/fee_changes`: none is ever announced ahead.
pub(super) async fn event_fee_changes() -> Json<Value> {
    Json(json!({ "event_fee_changes": [], "cursor": "" }))
}

/// `GET /series`
pub(super) async fn all_series(State(app): State<App>, params: Params) -> Answer<Json<Value>> {
    let answer = app.floor.ask(move |floor| {
        let category = params.text("category");
        let tags = params.list("tags");
        let listed = floor.exchange.all_series().filter(|series| {
            category.is_none_or(|category| category == series.category)
                && tags
                    .as_ref()
                    .is_none_or(|tags| series.tags.iter().any(|tag| tags.contains(&tag.as_str())))
        });
        json!({ "series": listed.map(series_json).collect::<Vec<_>>() })
    });
    Ok(Json(answer.await?))
}

/// `GET /series/{ticker}`
pub(super) async fn series(
    State(app): State<App>,
    Path(ticker): Path<String>,
) -> Answer<Json<Value>> {
    let answer = app.floor.ask(move |floor| {
        let series = floor.exchange.series(&ticker).map(series_json);
        series.ok_or_else(|| ApiError::not_found("series"))
    });
    Ok(Json(json!({ "series": answer.await?? })))
}

/// `GET /series/fee_changes`: none is ever announced ahead.
pub(super) async fn series_fee_changes() -> Json<Value> {
    Json(json!({ "series_fee_change_arr": [] }))
}

/// `GET /milestones`: `limit` is required.
pub(super) async fn milestones(State(app): State<App>, params: Params) -> Answer<Json<Value>> {
    if params.text("limit").is_none() {
        return Err(ApiError::argument_required("limit"));
    }
    let page = params.page(1, 500)?;
    let min_updated = params.number("min_updated_ts")?;
    let earliest = match params.text("minimum_start_date") {
        None => None,
        Some(text) => Some(
            text.parse::<jiff::Timestamp>()
                .map_err(|_| ApiError::bad_query("minimum_start_date is not RFC 3339"))?,
        ),
    };
    let answer = app.floor.ask(move |floor| {
        let exchange = &floor.exchange;
        let is = |name, value: &str| params.text(name).is_none_or(|wanted| wanted == value);
        let listed = exchange.milestones().iter().filter(|milestone| {
            let about = |ticker: &str| {
                milestone.related_event_tickers.iter().any(|related| &**related == ticker)
            };
            let secs =
                |ts: hotpit_units::Timestamp| i64::try_from(ts.as_secs()).unwrap_or(i64::MAX);
            is("category", &milestone.category)
                && is("type", &milestone.kind)
                && params.text("source_id").is_none()
                && params.text("related_event_ticker").is_none_or(about)
                && params.text("competition").is_none_or(|name| competes(exchange, milestone, name))
                && min_updated.is_none_or(|min| secs(milestone.updated) > min)
                && earliest.is_none_or(|min| secs(milestone.start_date) >= min.as_second())
        });
        let (milestones, cursor) =
            page.cut(listed, |milestone| milestone.id.to_string(), milestone_json);
        json!({ "milestones": milestones, "cursor": cursor })
    });
    Ok(Json(answer.await?))
}

/// `GET /milestones/{id}`
pub(super) async fn milestone(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let answer = app.floor.ask(move |floor| {
        let all = floor.exchange.milestones();
        let found = all.iter().find(|milestone| milestone.id.to_string() == id);
        found.map(milestone_json).ok_or_else(|| ApiError::not_found("milestone"))
    });
    Ok(Json(json!({ "milestone": answer.await?? })))
}

/// `GET /structured_targets/{id}`: a team.
pub(super) async fn structured_target(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let answer = app.floor.ask(move |floor| target_json(floor, &id));
    let target = answer.await?.ok_or_else(|| ApiError::not_found("structured target"))?;
    Ok(Json(json!({ "structured_target": target })))
}

/// The team of this id: whoever plays, else whoever a market is about.
fn target_json(floor: &Floor, id: &str) -> Option<Value> {
    let exchange = &floor.exchange;
    let (market, kind) = exchange.markets().iter().find_map(|market| {
        let mut strikes = market.spec.custom_strike.iter();
        strikes.find(|(_, target)| *target == id).map(|(kind, _)| (market, kind))
    })?;
    let team = floor
        .games()
        .flat_map(|game| [&game.home, &game.away])
        .find(|team| team.target.to_string() == id);
    let name = team.map_or_else(|| market.spec.yes_sub_title.clone(), |team| team.display_name());
    let details = team.map_or_else(
        || json!({}),
        |team| {
            json!({
                "abbreviation": team.abbreviation,
                "market": team.location,
                "name": team.nickname,
            })
        },
    );
    Some(json!({
        "id": id,
        "name": name,
        "type": kind,
        "details": details,
        "last_updated_ts": rfc3339(market.created),
    }))
}

fn competes(exchange: &Exchange, milestone: &Milestone, competition: &str) -> bool {
    milestone.primary_event_tickers.iter().filter_map(|ticker| exchange.event(ticker)).any(
        |event| event.product_metadata.get("competition").is_some_and(|name| name == competition),
    )
}

fn markets_of<'a>(exchange: &'a Exchange, event: &Event) -> impl Iterator<Item = &'a Market> {
    let ticker = event.ticker.clone();
    exchange.markets().iter().filter(move |market| market.spec.event_ticker == ticker)
}

fn event_json(exchange: &Exchange, event: &Event, nested: bool) -> Value {
    let mut json = json!({
        "event_ticker": event.ticker,
        "series_ticker": event.series_ticker,
        "title": event.title,
        "sub_title": event.sub_title,
        "collateral_return_type": event.collateral_return_type,
        "mutually_exclusive": event.mutually_exclusive,
        "category": exchange.series(&event.series_ticker).map(|series| &series.category),
        "product_metadata": event.product_metadata,
        "settlement_sources": [],
        "exchange_index": event.exchange_index,
    });
    if let Some(fees) = event.fee_override {
        json["fee_type_override"] = json!(fees.fee_type.as_str());
        json["fee_multiplier_override"] = multiplier(fees.multiplier_milli);
    }
    if nested {
        json["markets"] = markets_of(exchange, event).map(market_json).collect();
    }
    json
}

fn series_json(series: &Series) -> Value {
    json!({
        "ticker": series.ticker,
        "title": series.title,
        "category": series.category,
        "tags": series.tags,
        "frequency": series.frequency,
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": series.fees.fee_type.as_str(),
        "fee_multiplier": multiplier(series.fees.multiplier_milli),
        "additional_prohibitions": [],
        "exchange_index": series.exchange_index,
    })
}

fn milestone_json(milestone: &Milestone) -> Value {
    json!({
        "id": milestone.id.to_string(),
        "category": milestone.category,
        "type": milestone.kind,
        "start_date": rfc3339(milestone.start_date),
        "end_date": milestone.end_date.map(rfc3339),
        "title": milestone.title,
        "notification_message": "",
        "primary_event_tickers": milestone.primary_event_tickers,
        "related_event_tickers": milestone.related_event_tickers,
        "details": milestone.details,
        "source_ids": {},
        "last_updated_ts": rfc3339(milestone.updated),
    })
}
