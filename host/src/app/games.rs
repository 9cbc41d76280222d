//! How ESPN's leagues and Kalshi's milestones find each other.

use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Clock;

use crate::feeds::espn::{LeagueFacts, Milestone, Milestones, MilestonesError};
use crate::feeds::kalshi::LeagueNames;
use crate::kalshi::{Client, HttpTransport};
use crate::model::League;
use crate::units::Timestamp;

/// How long after its start a game is still asked for: the longest ones take under half of it.
const STARTED_AGO_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Kalshi's word for a league.
pub(super) fn league_names(league: &League) -> Option<LeagueNames> {
    let facts = LeagueFacts::find(league)?;
    Some(LeagueNames { milestone_type: facts.milestone_type, spellings: facts.kalshi })
}

/// Kalshi's milestones, as the ESPN feed asks for them.
pub(super) struct GameMilestones {
    pub(super) client: Arc<Client<HttpTransport>>,
    pub(super) clock: Clock,
}

impl Milestones for GameMilestones {
    async fn of_league(
        &self,
        league: &'static LeagueFacts,
    ) -> Result<Vec<Milestone>, MilestonesError> {
        let now = self.clock.now().as_nanos();
        let ago = u64::try_from(STARTED_AGO_MAX.as_nanos()).unwrap_or(u64::MAX);
        let since = Timestamp::from_nanos(now.saturating_sub(ago));
        let milestones = self
            .client
            .milestones(league.milestone_type, since)
            .await
            .map_err(|error| MilestonesError(error.to_string()))?;
        let of_league = milestones.into_iter().filter_map(|milestone| {
            let text = |key: &str| milestone.detail(key).map(str::to_owned);
            let spelling = text("league")?;
            if !league.kalshi.contains(&spelling.as_str()) {
                return None;
            }
            Some(Milestone {
                start: milestone.starts()?,
                league: spelling,
                home_team_id: text("home_team_id"),
                away_team_id: text("away_team_id"),
                id: milestone.id.clone(),
                title: milestone.title.clone(),
                event_tickers: milestone.primary_event_tickers.clone(),
                main_event: text("main_game_event_ticker"),
            })
        });
        Ok(of_league.collect())
    }
}
