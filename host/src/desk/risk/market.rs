//! Whether the market trades, and whether what is known of it can be believed.

use std::sync::Arc;

use super::{Case, Denial, Question};
use crate::desk::market_table::{MarketSlot, MarketState, MarketView};
use crate::model::MarketStatus;

pub(super) fn open<'a>(
    question: &Question<'a>,
) -> Result<(MarketSlot, &'a MarketState, &'a MarketView), Denial> {
    if let Some(reason) = &question.exchange.paused {
        return Err(Denial::ExchangePaused { reason: reason.clone() });
    }
    let unknown = || Denial::MarketUnknown { market: question.order.market };
    let (slot, market) = question.slot.zip(question.market).ok_or_else(unknown)?;
    let view = market.view.as_ref().ok_or_else(unknown)?;
    let status = view.market.status;
    if status != MarketStatus::Active {
        return Err(Denial::MarketNotOpen { market: Arc::clone(&market.ticker), status });
    }
    // Kalshi sends no event when trading ends at the close time: the clock has to notice.
    if view.market.close_time.is_some_and(|close| question.now >= close) {
        return Err(Denial::MarketClosed { market: Arc::clone(&market.ticker) });
    }
    Ok((slot, market, view))
}

pub(super) fn book(case: &Case<'_>) -> Result<(), Denial> {
    if !case.view.synced {
        return Err(Denial::BookNotSynced { market: case.ticker() });
    }
    let age = case.question.now.since(case.view.as_of);
    let limit = case.question.limits.book_age_max();
    if age > limit {
        return Err(Denial::BookStale { market: case.ticker(), age, limit });
    }
    Ok(())
}

pub(super) fn game(case: &Case<'_>) -> Result<(), Denial> {
    if !case.agent.limits.requires_game_feed {
        return Ok(());
    }
    let age = case.view.game_as_of.map(|as_of| case.question.now.since(as_of));
    let limit = case.question.limits.game_age_max();
    match age {
        Some(age) if age <= limit => Ok(()),
        Some(_) | None => Err(Denial::GameStale { market: case.ticker(), age, limit }),
    }
}
