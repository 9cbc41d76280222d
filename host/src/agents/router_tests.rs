//! Who hears what.

use hotpit_units::{Price, Quantity, Timestamp};

use super::*;
use crate::agents::items::{GapCause, Item};
use crate::agents::mailbox::Bounds;
use crate::bus::{Message, Snapshot, Stale};
use crate::model::{
    FeeSchedule, Game, GameInfo, GameMarket, GameStatus, League, Level, Market, MarketStatus,
    Outcome, PriceGrid, Team,
};

/// A router over a cache, and the agents at it.
struct Floor {
    cache: Arc<Cache>,
    wanted: Wanted,
    router: Router,
    slots: u64,
}

impl Floor {
    fn new() -> Self {
        let (cache, wanted) = (Arc::new(Cache::default()), Wanted::default());
        let router = Router::new(Arc::clone(&cache), Clock::system(), wanted.clone());
        Self { cache, wanted, router, slots: 0 }
    }

    fn hear(&self, message: &Message) {
        if let Some(change) = self.cache.apply(message, Timestamp::from_secs(1)) {
            self.router.route(&change);
        }
    }

    fn market(&self, ticker: &str, status: MarketStatus) -> MarketId {
        self.hear(&Message::Market(Arc::new(market(ticker, status))));
        self.cache.market_id(ticker).unwrap()
    }

    fn agent(&mut self, name: &str, subscriptions: &[Subscription]) -> Arc<Mailbox> {
        self.slots += 1;
        let bounds = Bounds { events: 100, notices: 100, timers: 1 };
        let mailbox = Arc::new(Mailbox::new(Slot(self.slots), Arc::default(), bounds));
        self.router.add(&name.into(), &mailbox, &subscriptions.iter().cloned().collect());
        mailbox
    }
}

/// `SERIES-EVENT-MARKET` belongs to `SERIES-EVENT` and to `SERIES`.
fn market(ticker: &str, status: MarketStatus) -> Market {
    let event = ticker.rsplit_once('-').unwrap().0;
    Market {
        ticker: ticker.into(),
        event_ticker: event.into(),
        series_ticker: event.split('-').next().unwrap().into(),
        title: String::new(),
        yes_title: String::new(),
        status,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: false,
        strike_target: None,
    }
}

fn snapshot(ticker: &str, bid_cents: u32) -> Message {
    let level =
        Level { price: Price::from_cents(bid_cents), quantity: Quantity::from_contracts(1) };
    Message::Snapshot(Snapshot {
        ticker: ticker.into(),
        bids: vec![level],
        asks: vec![],
        ts: Timestamp::from_secs(1),
    })
}

fn game_info(markets: &[&str]) -> Message {
    let team =
        |name: &str| Team { name: name.into(), location: name.into(), abbreviation: name.into() };
    let on = |ticker: &&str| GameMarket { ticker: (*ticker).into(), outcome: Outcome::HomeWins };
    Message::GameInfo(Arc::new(GameInfo {
        espn_id: "401".into(),
        league: League("nfl".into()),
        home: team("A"),
        away: team("B"),
        start: Timestamp::from_secs(9),
        periods: 4,
        period_ms: 900_000,
        markets: markets.iter().map(on).collect(),
    }))
}

fn game(home_score: u32) -> Message {
    Message::Game(Game {
        espn_id: "401".into(),
        status: GameStatus::InProgress,
        period: 1,
        clock_ms: 1,
        home_score,
        away_score: 0,
        situation: None,
        ts: Timestamp::from_secs(1),
    })
}

fn taken(mailbox: &Mailbox) -> Vec<Item> {
    let mut items = vec![];
    mailbox.take(usize::MAX, Timestamp::EPOCH, &mut items);
    items
}

#[test]
fn other_subscriptions_are_taken_although_they_mean_the_same_markets_now() {
    let mut floor = Floor::new();
    let mailbox = floor.agent("a", &[Subscription::Market("TYPO-1-1".into())]);
    let right = Subscription::Market("KX-1-1".into());
    floor.router.add(&"a".into(), &mailbox, &[right.clone()].into());
    assert!(floor.wanted.watch().borrow().agents.contains(&right), "the feeds are told");
    let id = floor.market("KX-1-1", MarketStatus::Active);
    assert!(mailbox.view().0.markets.contains(&id));
}

#[test]
fn an_agent_hears_what_it_subscribed_to_and_nothing_else() {
    let mut floor = Floor::new();
    let one = floor.market("KXA-1-X", MarketStatus::Active);
    let other = floor.market("KXB-1-X", MarketStatus::Active);
    let by_market = floor.agent("market", &[Subscription::Market("KXA-1-X".into())]);
    let by_event = floor.agent("event", &[Subscription::Event("KXA-1".into())]);
    let by_series = floor.agent("series", &[Subscription::Series("KXB".into())]);
    for (mailbox, market) in [(&by_market, one), (&by_event, one), (&by_series, other)] {
        assert_eq!(taken(mailbox), [Item::MarketState(market)]);
    }
    floor.hear(&snapshot("KXA-1-X", 40));
    assert_eq!(taken(&by_market), [Item::Quote(one)]);
    assert_eq!(taken(&by_event), [Item::Quote(one)]);
    assert_eq!(taken(&by_series), []);
}

#[test]
fn a_new_market_comes_to_those_whose_subscription_means_it() {
    let mut floor = Floor::new();
    let by_series = floor.agent("series", &[Subscription::Series("KXA".into())]);
    let other = floor.agent("other", &[Subscription::Series("KXB".into())]);
    let market = floor.market("KXA-2-X", MarketStatus::Active);
    assert_eq!(taken(&by_series), [Item::MarketState(market)]);
    assert_eq!(taken(&other), []);
    // A market that is over comes to nobody by its series, but who follows it hears its end.
    floor.market("KXA-3-X", MarketStatus::Finalized);
    assert_eq!(taken(&by_series), []);
    floor.market("KXA-2-X", MarketStatus::Finalized);
    assert!(matches!(taken(&by_series)[..], [Item::Market(id, ..)] if id == market));
}

#[test]
fn a_league_is_its_games_and_the_markets_on_them_in_whatever_order_they_come() {
    let mut floor = Floor::new();
    let agent = floor.agent("league", &[Subscription::League(League("nfl".into()))]);
    floor.hear(&game_info(&[]));
    let id = floor.cache.game_id("401").unwrap();
    assert_eq!(taken(&agent), [Item::GameState(id)]);
    floor.hear(&game(7));
    assert!(matches!(taken(&agent)[..], [Item::Game(..)]));
    // Mapped before the market is known, and after.
    floor.hear(&game_info(&["KXG-1-A"]));
    assert_eq!(taken(&agent), []);
    let first = floor.market("KXG-1-A", MarketStatus::Active);
    assert_eq!(taken(&agent), [Item::MarketState(first)]);
    let second = floor.market("KXG-1-B", MarketStatus::Active);
    floor.hear(&game_info(&["KXG-1-A", "KXG-1-B"]));
    assert_eq!(taken(&agent), [Item::MarketState(second)]);
}

#[test]
fn a_stale_book_is_a_gap_to_its_followers_alone() {
    let mut floor = Floor::new();
    let market = floor.market("KXA-1-X", MarketStatus::Active);
    floor.market("KXB-1-X", MarketStatus::Active);
    let follower = floor.agent("a", &[Subscription::Market("KXA-1-X".into())]);
    let other = floor.agent("b", &[Subscription::Market("KXB-1-X".into())]);
    floor.hear(&snapshot("KXA-1-X", 40));
    taken(&follower);
    taken(&other);
    let stale = Stale { tickers: vec!["KXA-1-X".into()], reason: String::new() };
    floor.hear(&Message::Stale(stale));
    assert_eq!(
        taken(&follower),
        [Item::Gap(Some(market), GapCause::StreamBroke, 0), Item::MarketState(market)]
    );
    assert_eq!(taken(&other), []);
}

#[test]
fn the_feeds_are_told_what_all_agents_want() {
    let mut floor = Floor::new();
    let series = Subscription::Series("KXA".into());
    let league = Subscription::League(League("nfl".into()));
    floor.agent("a", std::slice::from_ref(&series));
    floor.agent("b", &[series.clone(), league.clone()]);
    floor.hear(&game_info(&["KXG-1-A"]));
    let watch = floor.wanted.watch();
    assert_eq!(watch.borrow().agents, BTreeSet::from([series.clone(), league]));
    assert_eq!(watch.borrow().games, BTreeSet::from([Subscription::Market("KXG-1-A".into())]));
    floor.router.remove(&"b".into());
    assert_eq!(watch.borrow().agents, BTreeSet::from([series]));
    assert_eq!(watch.borrow().games, BTreeSet::new());
}

#[test]
fn an_agent_that_is_gone_hears_nothing() {
    let mut floor = Floor::new();
    floor.market("KXA-1-X", MarketStatus::Active);
    let agent = floor.agent("a", &[Subscription::Market("KXA-1-X".into())]);
    taken(&agent);
    floor.router.remove(&"a".into());
    floor.hear(&snapshot("KXA-1-X", 40));
    assert_eq!(taken(&agent), []);
}

#[test]
fn other_subscriptions_change_the_scope_and_keep_what_stays() {
    let mut floor = Floor::new();
    let a = floor.market("KXA-1-X", MarketStatus::Active);
    let b = floor.market("KXB-1-X", MarketStatus::Active);
    let [one, two] = ["KXA", "KXB"].map(|series| Subscription::Series(series.into()));
    let agent = floor.agent("a", std::slice::from_ref(&one));
    taken(&agent);
    floor.router.add(&"a".into(), &agent, &BTreeSet::from([one, two.clone()]));
    assert_eq!(taken(&agent), [Item::MarketState(b)]);
    floor.router.add(&"a".into(), &agent, &BTreeSet::from([two]));
    floor.router.route(&Change::Quote(a));
    floor.router.route(&Change::Quote(b));
    assert_eq!(taken(&agent), [Item::Quote(b)]);
}
