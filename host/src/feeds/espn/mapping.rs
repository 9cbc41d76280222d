//! From a game to its markets. Pure; certain or not at all.
//!
//! A game is a milestone's if the league is the same, the starts are close, and both names in
//! the milestone's title are names of the two teams, and if no other game and no other milestone
//! fits as well. A market is on the home team if its strike target is the milestone's home
//! team, or, where ids are missing, if its YES is a name of the home team; if the two say
//! different things, the event is left out. An event that two milestones list is on neither game.
//! Tickers are never taken apart. Why a game is not mapped is said ([`Doubt`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::league::LeagueFacts;
use crate::model::{GameInfo, GameMarket, Market, Outcome, Team};

/// How far apart the two starts may be. Less than half of the time between the games of a
/// doubleheader.
pub const START_TOLERANCE: Duration = Duration::from_secs(75 * 60);

/// A game as Kalshi knows it (`GET /milestones`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// Kalshi's id.
    pub id: String,
    /// `start_date`: the kickoff, which no field of a market is.
    pub start: Timestamp,
    /// `details.league`.
    pub league: String,
    /// Such as `New England at Seattle`.
    pub title: String,
    /// `details.home_team_id`, an id among the structured targets.
    pub home_team_id: Option<String>,
    /// `details.away_team_id`.
    pub away_team_id: Option<String>,
    /// `primary_event_tickers`.
    pub event_tickers: Vec<Arc<str>>,
    /// `details.main_game_event_ticker`: the event about who wins, where Kalshi says so.
    pub main_event: Option<String>,
}

/// Where milestones come from: Kalshi's REST API.
pub trait Milestones: Send + Sync + 'static {
    /// The games of a league that are not long over
    /// ([`LeagueFacts::milestone_type`] is what to ask for).
    fn of_league(
        &self,
        league: &'static LeagueFacts,
    ) -> impl Future<Output = Result<Vec<Milestone>, MilestonesError>> + Send;
}

/// Why there are no milestones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no milestones: {0}")]
pub struct MilestonesError(pub String);

/// A game with its milestone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// ESPN's id of the game.
    pub espn_id: Arc<str>,
    /// Kalshi's id of the milestone.
    pub milestone: String,
    /// The events on the game.
    pub events: Vec<Arc<str>>,
    /// Those of their markets that are known already, ascending by ticker.
    pub markets: Vec<GameMarket>,
}

/// Why a game is on no market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// Kalshi lists no game of the league near its start.
    NoMilestone,
    /// Kalshi lists games at that time, and none between these two teams.
    OtherTeams,
    /// Two of Kalshi's games may be it.
    SeveralMilestones,
    /// Kalshi's game may be another one as well.
    SeveralGames,
    /// Kalshi lists no event for the game, or only events that it lists for another game too.
    NoEvent,
}

impl Doubt {
    /// A word for it, as metrics and logs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoMilestone => "no_milestone",
            Self::OtherTeams => "other_teams",
            Self::SeveralMilestones => "several_milestones",
            Self::SeveralGames => "several_games",
            Self::NoEvent => "no_event",
        }
    }
}

/// Maps games of one league to milestones and markets: for each game, in order, what it is mapped
/// to, or why it is not.
#[must_use]
pub fn map_games(
    facts: &LeagueFacts,
    games: &[GameInfo],
    milestones: &[Milestone],
    markets: &[Arc<Market>],
) -> Vec<Result<Mapped, Doubt>> {
    let mut by_event: BTreeMap<&str, Vec<&Market>> = BTreeMap::new();
    for market in markets {
        by_event.entry(&*market.event_ticker).or_default().push(market);
    }
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for event in milestones.iter().flat_map(|milestone| &milestone.event_tickers) {
        *listed.entry(&**event).or_default() += 1;
    }
    let map = |game: &GameInfo| {
        let (milestone, orientation) = milestone_of(facts, game, milestones)?;
        let others = games.iter().filter(|other| fit(facts, other, milestone).is_some());
        if others.count() > 1 {
            return Err(Doubt::SeveralGames);
        }
        let is_its_own = |event: &&Arc<str>| listed.get(&***event) == Some(&1);
        let events: Vec<_> = milestone.event_tickers.iter().filter(is_its_own).cloned().collect();
        if events.is_empty() {
            return Err(Doubt::NoEvent);
        }
        let mut markets = markets_of(game, milestone, &events, orientation, &by_event);
        markets.sort_unstable_by(|left, right| left.ticker.cmp(&right.ticker));
        let espn_id = Arc::clone(&game.espn_id);
        Ok(Mapped { espn_id, milestone: milestone.id.clone(), events, markets })
    };
    games.iter().map(map).collect()
}

/// The only milestone that a game fits.
fn milestone_of<'a>(
    facts: &LeagueFacts,
    game: &GameInfo,
    milestones: &'a [Milestone],
) -> Result<(&'a Milestone, Orientation), Doubt> {
    let mut fits =
        milestones.iter().filter_map(|milestone| Some((milestone, fit(facts, game, milestone)?)));
    match (fits.next(), fits.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Doubt::SeveralMilestones),
        (None, _) if milestones.iter().any(|it| is_at_its_time(facts, game, it)) => {
            Err(Doubt::OtherTeams)
        }
        (None, _) => Err(Doubt::NoMilestone),
    }
}

/// The markets on a game. At most one of its events is about who wins: the one that Kalshi names,
/// or, where it names none, the only one that has the form of it.
fn markets_of(
    game: &GameInfo,
    milestone: &Milestone,
    events: &[Arc<str>],
    orientation: Orientation,
    by_event: &BTreeMap<&str, Vec<&Market>>,
) -> Vec<GameMarket> {
    let is_about_winner =
        |markets: &[GameMarket]| markets.iter().any(|market| market.outcome != Outcome::Other);
    let mut events: Vec<(&str, Vec<GameMarket>)> = events
        .iter()
        .filter_map(|event| Some((&**event, by_event.get(&**event)?)))
        .map(|(event, markets)| (event, outcomes(game, milestone, orientation, markets)))
        .collect();
    let count = events.iter().filter(|(_, markets)| is_about_winner(markets)).count();
    for (event, markets) in &mut events {
        let is_main = match milestone.main_event.as_deref() {
            Some(main) => main == *event,
            None => count == 1,
        };
        if !is_main {
            markets.iter_mut().for_each(|market| market.outcome = Outcome::Other);
        }
    }
    events.into_iter().flat_map(|(_, markets)| markets).collect()
}

/// What a title says of who is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orientation {
    /// The same as ESPN.
    Same,
    /// Nothing: `A vs B`.
    Open,
}

/// Whether a milestone is a game of the league that starts when this one does.
fn is_at_its_time(facts: &LeagueFacts, game: &GameInfo, milestone: &Milestone) -> bool {
    let is_league = |name: &&str| name.eq_ignore_ascii_case(&milestone.league);
    let apart = game.start.since(milestone.start).max(milestone.start.since(game.start));
    facts.kalshi.iter().any(is_league) && apart <= START_TOLERANCE
}

/// Whether a milestone is this game.
fn fit(facts: &LeagueFacts, game: &GameInfo, milestone: &Milestone) -> Option<Orientation> {
    if !is_at_its_time(facts, game, milestone) {
        return None;
    }
    let title = normalized(&milestone.title);
    let (left, right, at) = split(&title)?;
    if is_name(&game.away, left) && is_name(&game.home, right) {
        return Some(if at { Orientation::Same } else { Orientation::Open });
    }
    // `A at B` with B the visitor is some other game.
    (!at && is_name(&game.home, left) && is_name(&game.away, right)).then_some(Orientation::Open)
}

/// The two sides of a title, and whether the right one is at home.
fn split(title: &str) -> Option<(&str, &str, bool)> {
    let title = title.strip_suffix(" winner").unwrap_or(title);
    let separators = [(" at ", true), (" @ ", true), (" vs ", false), (" v ", false)];
    let mut sides = separators.iter().filter_map(|(separator, at)| {
        let (left, right) = title.split_once(separator)?;
        (!right.contains(separator)).then_some((left, right, *at))
    });
    let first = sides.next()?;
    // A second way to split it is a doubt.
    sides.next().is_none().then_some(first)
}

/// Whether a text is one of the names of a team, whole: `Washington` is not `Washington State`.
fn is_name(team: &Team, text: &str) -> bool {
    let name = normalized(&team.name);
    let location = normalized(&team.location);
    let nickname = name.strip_prefix(&location).unwrap_or("").trim_start();
    // Two teams of one city: `Los Angeles R`.
    let initial = nickname.chars().next().map(|initial| format!("{location} {initial}"));
    !text.is_empty()
        && (text == name
            || text == location
            || text == nickname
            || text == normalized(&team.abbreviation)
            || initial.is_some_and(|short| !location.is_empty() && text == short))
}

/// Lower case, accents and punctuation apart, one space between words.
fn normalized(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'á' | 'à' | 'â' | 'ä' | 'ã' => words.push('a'),
            'é' | 'è' | 'ê' | 'ë' => words.push('e'),
            'í' | 'ì' | 'î' | 'ï' => words.push('i'),
            'ó' | 'ò' | 'ô' | 'ö' | 'õ' => words.push('o'),
            'ú' | 'ù' | 'û' | 'ü' => words.push('u'),
            'ñ' => words.push('n'),
            // `St.` is `St`, and `Hawai'i` is `Hawaii`.
            '.' | '\'' | '’' | 'ʻ' | '?' => {}
            '&' | '@' => words.push(letter),
            letter if letter.is_alphanumeric() => words.push(letter),
            _ => words.push(' '),
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the markets of one event pay for. Only an event that has a market for each team, and
/// perhaps one for a tie, is about who wins; of any other, all are something else.
fn outcomes(
    game: &GameInfo,
    milestone: &Milestone,
    orientation: Orientation,
    markets: &[&Market],
) -> Vec<GameMarket> {
    let found: Vec<Outcome> =
        markets.iter().map(|market| outcome(game, milestone, orientation, market)).collect();
    let count = |wanted| found.iter().filter(|outcome| **outcome == wanted).count();
    let is_winner = count(Outcome::HomeWins) == 1
        && count(Outcome::AwayWins) == 1
        && count(Outcome::Tie) <= 1
        && count(Outcome::Other) == 0;
    let pairs = markets.iter().zip(found);
    pairs
        .map(|(market, outcome)| GameMarket {
            ticker: Arc::clone(&market.ticker),
            outcome: if is_winner { outcome } else { Outcome::Other },
        })
        .collect()
}

fn outcome(
    game: &GameInfo,
    milestone: &Milestone,
    orientation: Orientation,
    market: &Market,
) -> Outcome {
    let title = normalized(&market.yes_title);
    let by_name = match (is_name(&game.home, &title), is_name(&game.away, &title)) {
        (true, false) => Some(Outcome::HomeWins),
        (false, true) => Some(Outcome::AwayWins),
        // Nobody, or both: `New York`.
        (false, false) | (true, true) => None,
    };
    if title == "tie" || title == "draw" {
        return Outcome::Tie;
    }
    let target = market.strike_target.as_deref();
    let is_target =
        |id: &Option<String>| target.is_some_and(|target| id.as_deref() == Some(target));
    let by_id = match (is_target(&milestone.home_team_id), is_target(&milestone.away_team_id)) {
        (true, false) => Some(Outcome::HomeWins),
        (false, true) => Some(Outcome::AwayWins),
        (false, false) | (true, true) => None,
    };
    let is_line = by_name.is_none() && title.contains(|letter: char| letter.is_ascii_digit());
    match (by_id, by_name) {
        _ if is_line => Outcome::Other,
        (Some(by_id), Some(by_name)) if by_id != by_name => Outcome::Other,
        (_, Some(outcome)) => outcome,
        // Who is at home by id is who is at home for ESPN, if the title says so too.
        (Some(outcome), None) if orientation == Orientation::Same => outcome,
        (Some(_), None) | (None, None) => Outcome::Other,
    }
}
