//! What the scenario lists: teams, series, events, markets, and the game's milestone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Rng;
use hotpit_units::Timestamp;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::game::{Game, GameStatus, Team};
use crate::core::{
    Event, Exchange, FeeSchedule, FeeType, ListingError, MarketKey, MarketSpec, Milestone,
    PriceGrid, Series, Shard,
};

/// Shard of football.
pub(super) const FOOTBALL_SHARD: Shard = 0;
/// Shard of basketball.
pub(super) const BASKETBALL_SHARD: Shard = 3;

/// ESPN's id, location, name, and abbreviation.
type TeamRow = (&'static str, &'static str, &'static str, &'static str);

const FOOTBALL_TEAMS: [TeamRow; 8] = [
    ("2", "Buffalo", "Bills", "BUF"),
    ("6", "Dallas", "Cowboys", "DAL"),
    ("9", "Green Bay", "Packers", "GB"),
    ("12", "Kansas City", "Chiefs", "KC"),
    ("17", "New England", "Patriots", "NE"),
    ("21", "Philadelphia", "Eagles", "PHI"),
    ("25", "San Francisco", "49ers", "SF"),
    ("26", "Seattle", "Seahawks", "SEA"),
];

const BASKETBALL_TEAMS: [TeamRow; 4] = [
    ("2", "Boston", "Celtics", "BOS"),
    ("7", "Denver", "Nuggets", "DEN"),
    ("13", "Los Angeles", "Lakers", "LAL"),
    ("18", "New York", "Knicks", "NYK"),
];

/// A kind of game: what its series and events look like.
struct Sport {
    series: &'static str,
    title: &'static str,
    tag: &'static str,
    competition: &'static str,
    strike: &'static str,
    shard: Shard,
    fees: FeeSchedule,
    grid: fn() -> PriceGrid,
}

const FOOTBALL: Sport = Sport {
    series: "KXNFLGAME",
    title: "Professional Football Game",
    tag: "Football",
    competition: "Pro Football",
    strike: "football_team",
    shard: FOOTBALL_SHARD,
    fees: FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 },
    grid: PriceGrid::linear_cent,
};

const BASKETBALL: Sport = Sport {
    series: "KXNBAGAME",
    title: "Professional Basketball Game",
    tag: "Basketball",
    competition: "Pro Basketball (M)",
    strike: "basketball_team",
    shard: BASKETBALL_SHARD,
    fees: FeeSchedule { fee_type: FeeType::QuadraticWithMakerFees, multiplier_milli: 500 },
    grid: PriceGrid::tapered_deci_cent,
};

/// Two teams and their markets.
pub(super) struct Listed {
    event: Arc<str>,
    home: Team,
    away: Team,
    pub(super) home_market: MarketKey,
    pub(super) away_market: MarketKey,
}

/// Lists the football game with its milestone.
pub(super) fn football(
    rng: &mut Rng,
    now: Timestamp,
    start: Timestamp,
    exchange: &mut Exchange,
) -> Result<Game, ListingError> {
    let listed = list(&FOOTBALL, &FOOTBALL_TEAMS, rng, now, start, exchange)?;
    let game = Game {
        espn_id: format!("4017{:05}", rng.random_range(0..100_000)),
        sport: "football",
        league: "nfl",
        start,
        milestone: exchange.new_id(),
        home: listed.home,
        away: listed.away,
        home_market: listed.home_market,
        away_market: listed.away_market,
        status: GameStatus::Scheduled,
        period: 0,
        clock_ms: 0,
        home_points: Vec::new(),
        away_points: Vec::new(),
        situation: None,
        last_play: None,
        home_win_probability: 0.5,
        updated: now,
    };
    put_milestone(&game, &listed.event, now, exchange);
    Ok(game)
}

/// Lists the basketball game.
pub(super) fn basketball(
    rng: &mut Rng,
    now: Timestamp,
    start: Timestamp,
    exchange: &mut Exchange,
) -> Result<Listed, ListingError> {
    list(&BASKETBALL, &BASKETBALL_TEAMS, rng, now, start, exchange)
}

/// Brings the milestone of the game up to date.
pub(super) fn update_milestone(game: &Game, now: Timestamp, exchange: &mut Exchange) {
    let event = exchange.market(game.home_market).spec.event_ticker.clone();
    put_milestone(game, &event, now, exchange);
}

fn put_milestone(game: &Game, event: &Arc<str>, now: Timestamp, exchange: &mut Exchange) {
    let status = match game.status {
        GameStatus::Scheduled => "scheduled",
        GameStatus::InProgress | GameStatus::EndOfPeriod | GameStatus::Halftime => "inprogress",
        GameStatus::Final => "closed",
    };
    let season = date(game.start).year().to_string();
    let details = [
        ("league", "NFL"),
        ("status", status),
        ("season", &season),
        ("main_game_event_ticker", event),
        ("home_team_id", &game.home.target.to_string()),
        ("away_team_id", &game.away.target.to_string()),
    ];
    exchange.put_milestone(Milestone {
        id: game.milestone,
        category: "Sports".into(),
        kind: "football_game".into(),
        start_date: game.start,
        end_date: (game.status == GameStatus::Final).then_some(now),
        title: format!("{} at {}", game.away.display_name(), game.home.display_name()),
        primary_event_tickers: vec![event.clone()],
        related_event_tickers: vec![event.clone()],
        details: details.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        updated: now,
    });
}

fn list(
    sport: &Sport,
    teams: &[TeamRow],
    rng: &mut Rng,
    now: Timestamp,
    start: Timestamp,
    exchange: &mut Exchange,
) -> Result<Listed, ListingError> {
    let mut order: Vec<&TeamRow> = teams.iter().collect();
    order.shuffle(rng);
    let team = |row: &TeamRow, exchange: &mut Exchange| Team {
        espn_id: row.0.into(),
        target: exchange.new_id(),
        location: row.1.into(),
        nickname: row.2.into(),
        abbreviation: row.3.into(),
    };
    let (home, away) = (team(order[0], exchange), team(order[1], exchange));
    exchange.list_series(Series {
        ticker: sport.series.into(),
        title: sport.title.into(),
        category: "Sports".into(),
        tags: vec![sport.tag.into()],
        frequency: "custom".into(),
        fees: sport.fees,
        exchange_index: sport.shard,
    })?;
    let day = date(start).strftime("%y%b%d").to_string().to_uppercase();
    let event: Arc<str> =
        format!("{}-{day}{}{}", sport.series, away.abbreviation, home.abbreviation).into();
    let metadata = [("competition", sport.competition), ("competition_scope", "Game")];
    exchange.list_event(Event {
        ticker: event.clone(),
        series_ticker: sport.series.into(),
        title: format!("{} at {}", away.location, home.location),
        sub_title: format!("{} at {}", away.abbreviation, home.abbreviation),
        mutually_exclusive: true,
        collateral_return_type: String::new(),
        product_metadata: metadata.map(|(key, value)| (key.into(), value.into())).into(),
        exchange_index: sport.shard,
        fee_override: None,
    })?;
    let mut market = |team: &Team| {
        let spec = market_spec(sport, &event, (&home, &away), team, now, start);
        exchange.list_market(now, spec)
    };
    let (home_market, away_market) = (market(&home)?, market(&away)?);
    Ok(Listed { event, home, away, home_market, away_market })
}

fn market_spec(
    sport: &Sport,
    event: &Arc<str>,
    (home, away): (&Team, &Team),
    team: &Team,
    now: Timestamp,
    start: Timestamp,
) -> MarketSpec {
    let after = |hours: u64| start + Duration::from_secs(hours * 3_600);
    let custom_strike: BTreeMap<String, String> =
        [(sport.strike.into(), team.target.to_string())].into();
    MarketSpec {
        ticker: format!("{event}-{}", team.abbreviation).into(),
        event_ticker: event.clone(),
        title: format!("{} at {} Winner?", away.location, home.location),
        yes_sub_title: team.location.clone(),
        no_sub_title: team.location.clone(),
        rules_primary: format!(
            "If {} wins the {} at {} game, then the market resolves to Yes.",
            team.location, away.location, home.location
        ),
        strike_type: "structured".into(),
        custom_strike,
        grid: (sport.grid)(),
        open_time: now,
        // The distances from kickoff that Kalshi's football markets have.
        occurrence_time: after(3),
        expected_expiration_time: after(6),
        close_time: after(48),
    }
}

/// The day in New York, whose date stands in tickers: five hours behind, as in winter.
fn date(at: Timestamp) -> jiff::civil::Date {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX) - 5 * 3_600;
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    instant.to_zoned(jiff::tz::TimeZone::UTC).date()
}
