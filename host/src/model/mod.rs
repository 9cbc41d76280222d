//! The vocabulary of the domain: markets, books, games, orders, and what happens to them.
//!
//! Plain values without sockets, clocks or locks. Everything else in the tree speaks in these
//! words; nothing here knows anything else in the tree, the units apart.

pub mod book;
pub mod durations;
pub mod game;
pub mod ids;
pub mod market;
pub mod order;
pub mod subscription;
pub mod venue;

pub use book::{Book, BookError};
pub use durations::Durations;
pub use game::{
    Game, GameInfo, GameMarket, GameStatus, League, Outcome, Possession, Situation, Team,
};
pub use ids::{AgentId, ClientOrderId, GameId, MarketId, OrderId, VenueOrderId};
pub use market::{
    FeeSchedule, FeeType, Level, Market, MarketStatus, PriceGrid, PriceRange, Quote, Statistics,
    Trade,
};
pub use order::{
    Account, Action, Fill, NewOrder, Notice, OpenOrder, OrderState, OrderUpdate, Position,
    TimeInForce,
};
pub use subscription::Subscription;
pub use venue::{VenueFill, VenueOrder, VenueOrderStatus, VenuePosition, VenueSettlement};
