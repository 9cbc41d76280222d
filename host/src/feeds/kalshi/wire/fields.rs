//! [`known`]: every field that Kalshi documents for the frames of its server, deprecated ones
//! included, whether the host reads it or not: what is not here is news. Source: Kalshi, AsyncAPI.

/// The fields around the body.
pub const ENVELOPE: &[&str] = &["type", "id", "sid", "seq", "msg", "sending_ts_ms"];

/// The fields of the body of a frame of this type; none: the type is not known, or its body has
/// no fields.
#[must_use]
pub fn known(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "subscribed" => &["channel", "sid"],
        "ok" => &["market_tickers", "market_ids"],
        "error" => &["code", "msg", "market_id", "market_ids", "market_ticker", "market_tickers"],
        "orderbook_snapshot" => &["market_ticker", "market_id", "yes_dollars_fp", "no_dollars_fp"],
        "orderbook_delta" => &[
            "market_ticker",
            "market_id",
            "price_dollars",
            "delta_fp",
            "side",
            "client_order_id",
            "subaccount",
            "ts",
            "ts_ms",
        ],
        "ticker" => &[
            "market_ticker",
            "market_id",
            "price_dollars",
            "yes_bid_dollars",
            "yes_ask_dollars",
            "volume_fp",
            "open_interest_fp",
            "dollar_volume",
            "dollar_open_interest",
            "yes_bid_size_fp",
            "yes_ask_size_fp",
            "last_trade_size_fp",
            "ts",
            "ts_ms",
            "time",
        ],
        "trade" => &[
            "trade_id",
            "market_ticker",
            "yes_price_dollars",
            "no_price_dollars",
            "count_fp",
            "taker_side",
            "taker_outcome_side",
            "taker_book_side",
            "is_block_trade",
            "ts",
            "ts_ms",
        ],
        "fill" => &[
            "trade_id",
            "order_id",
            "client_order_id",
            "market_ticker",
            "exchange_index",
            "is_taker",
            "side",
            "action",
            "purchased_side",
            "outcome_side",
            "book_side",
            "yes_price_dollars",
            "count_fp",
            "fee_cost",
            "post_position_fp",
            "subaccount",
            "ts",
            "ts_ms",
        ],
        "user_order" => &[
            "order_id",
            "client_order_id",
            "user_id",
            "ticker",
            "exchange_index",
            "status",
            "side",
            "is_yes",
            "outcome_side",
            "book_side",
            "yes_price_dollars",
            "fill_count_fp",
            "remaining_count_fp",
            "initial_count_fp",
            "taker_fill_cost_dollars",
            "maker_fill_cost_dollars",
            "taker_fees_dollars",
            "maker_fees_dollars",
            "order_group_id",
            "self_trade_prevention_type",
            "created_time",
            "created_ts_ms",
            "last_update_time",
            "last_updated_ts_ms",
            "last_update_reason",
            "expiration_time",
            "expiration_ts_ms",
            "subaccount_number",
        ],
        "market_position" => &[
            "user_id",
            "market_ticker",
            "exchange_index",
            "position_fp",
            "position_cost_dollars",
            "realized_pnl_dollars",
            "fees_paid_dollars",
            "position_fee_cost_dollars",
            "volume_fp",
            "subaccount",
        ],
        "market_lifecycle_v2" | "multivariate_market_lifecycle" => &[
            "event_type",
            "market_ticker",
            "exchange_index",
            "open_ts",
            "close_ts",
            "result",
            "determination_ts",
            "settlement_value",
            "settled_ts",
            "is_deactivated",
            "price_level_structure",
            "price_ranges",
            "strike_type",
            "floor_strike",
            "cap_strike",
            "custom_strike",
            "yes_sub_title",
            "additional_metadata",
        ],
        "event_lifecycle" => &[
            "event_ticker",
            "exchange_index",
            "title",
            "subtitle",
            "collateral_return_type",
            "series_ticker",
            "strike_date",
            "strike_period",
        ],
        "event_fee_update" => &["event_ticker", "fee_type_override", "fee_multiplier_override"],
        "order_group_updates" => &["event_type", "order_group_id", "contracts_limit_fp", "ts_ms"],
        "rfq_created" | "rfq_deleted" => &[
            "id",
            "creator_id",
            "market_ticker",
            "event_ticker",
            "contracts_fp",
            "target_cost_dollars",
            "created_ts",
            "deleted_ts",
            "mve_collection_ticker",
            "mve_selected_legs",
        ],
        "quote_created" | "quote_accepted" => &[
            "quote_id",
            "rfq_id",
            "quote_creator_id",
            "rfq_creator_id",
            "market_ticker",
            "event_ticker",
            "yes_bid_dollars",
            "no_bid_dollars",
            "accepted_side",
            "contracts_accepted_fp",
            "yes_contracts_offered_fp",
            "no_contracts_offered_fp",
            "rfq_target_cost_dollars",
            "created_ts",
            "subaccount",
        ],
        "quote_executed" => &[
            "quote_id",
            "rfq_id",
            "quote_creator_id",
            "rfq_creator_id",
            "order_id",
            "client_order_id",
            "market_ticker",
            "executed_ts",
            "subaccount",
        ],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::{Body, parse};
    use super::*;

    #[test]
    fn the_fixtures_have_every_field_of_what_is_used_and_no_unknown_one() {
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        for line in include_str!("../fixtures/frames.jsonl").lines() {
            let frame: Value = serde_json::from_str(line).unwrap();
            let frame = frame.as_object().unwrap();
            assert!(frame.keys().all(|field| ENVELOPE.contains(&field.as_str())), "{line}");
            let kind = frame["type"].as_str().unwrap();
            let Some(body) = frame.get("msg").and_then(Value::as_object) else { continue };
            let known = known(kind).unwrap_or_else(|| panic!("{kind} is not known"));
            let is_used = !matches!(parse(line).unwrap().body, Body::Unused);
            for field in body.keys() {
                assert!(known.contains(&field.as_str()), "{kind}: {field}");
                if is_used {
                    seen.insert((kind.to_owned(), field.clone()));
                }
            }
        }
        let kinds: BTreeSet<_> = seen.iter().map(|(kind, _)| kind.clone()).collect();
        let missing: Vec<_> = kinds
            .iter()
            .flat_map(|kind| known(kind).unwrap().iter().map(move |it| (kind, *it)))
            .filter(|(kind, field)| !seen.contains(&((*kind).clone(), (*field).to_owned())))
            .collect();
        assert_eq!(missing, [], "no fixture has these");
    }
}
