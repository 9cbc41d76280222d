//! [`quotes_both_sides`]: what every agent that makes a market must do, in whatever language.

#![allow(unreachable_pub, reason = "a test's helper")]

use hotpit::agents::AgentState;
use hotpit::bus::{Message, Snapshot};
use hotpit::desk::ToDesk;
use hotpit::model::{Action, Level, NewOrder};
use hotpit_units::{Price, Quantity, Side, Timestamp};

use super::floor::Floor;

/// Runs an agent on a market of 40 to 48 cents, which it must quote within; its two orders.
pub async fn quotes_both_sides(floor: &mut Floor, name: &str, wasm: &[u8]) -> Vec<NewOrder> {
    floor.drop_file(&format!("{name}.toml"), b"markets = [\"KX-1\"]");
    floor.drop_file(&format!("{name}.wasm"), wasm);
    floor.until_state(name, AgentState::Running).await;
    let level =
        |cents| Level { price: Price::from_cents(cents), quantity: Quantity::from_contracts(100) };
    floor.hear(&Message::Snapshot(Snapshot {
        ticker: "KX-1".into(),
        bids: vec![level(40)],
        asks: vec![level(48)],
        ts: Timestamp::from_secs(2),
    }));
    let mut orders: Vec<NewOrder> = vec![];
    while orders.len() < 2 {
        let ToDesk::Actions { actions, .. } = floor.heard().await else { continue };
        for action in actions {
            if let Action::Place(order) = action {
                assert!(order.price > Price::from_cents(40) && order.price < Price::from_cents(48));
                orders.push(order);
            }
        }
    }
    orders.sort_by_key(|order| order.side);
    assert_eq!([orders[0].side, orders[1].side], [Side::Bid, Side::Ask]);
    orders
}
