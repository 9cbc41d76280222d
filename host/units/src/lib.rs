//! Money and time as integers with a unit.
//!
//! Kalshi sends prices and counts as decimal strings with a fixed number of places
//! (`"0.5500"`, `"72.71"`). They become integers here, at the first byte, and stay integers to
//! the last: no price, count or dollar amount in the whole tree is a float.
//!
//! | type | one unit | so 1 is |
//! | --- | --- | --- |
//! | [`Price`] | 1e-4 dollars of the YES leg | $0.0001 |
//! | [`Quantity`] | 1e-2 contracts, signed | 0.01 contract |
//! | [`Dollars`] | 1e-6 dollars, signed | $0.000001 |
//! | [`Timestamp`] | 1 ns since the Unix epoch | 1 ns |
//!
//! The units are chosen so that `Price × Quantity` is [`Dollars`] exactly, without rounding.
//!
//! What never lives here: anything that knows of markets, orders or sockets.

mod decimal;
mod money;
mod side;
mod time;

pub use decimal::ParseDecimalError;
pub use money::{Dollars, Price, Quantity};
pub use side::Side;
pub use time::Timestamp;
