//! What happens in a seed: what agents, operator, other traders, exchange and misfortune do.

use std::time::Duration;

use hotpit::desk::record::Halted;
use hotpit::desk::{Command, ToDesk};
use hotpit::model::{Action, NewOrder, OrderId, TimeInForce};
use hotpit_exchange::core::Trading;
use hotpit_units::{Price, Quantity, Side};
use rand::RngExt;

use super::exchange;
use super::network::Weather;
use super::world::World;

impl World {
    /// One thing happens.
    pub async fn happen(&mut self) {
        match self.rng.random_range(0..100_u32) {
            0..36 => self.place(1..4).await,
            36..38 => {
                self.place(18..30).await;
                // Some of so many wait for their turn: what happens now must keep them back.
                match self.rng.random_range(0..4_u32) {
                    0 => self.network().cut(),
                    1 => self.host.tell(ToDesk::Bus { down: Some("simulated".into()) }).await,
                    2 => self.operate().await,
                    _ => {}
                }
            }
            38..44 => self.cancel().await,
            44..60 => self.others_trade().await,
            60..68 => {
                let weather = Weather::draw(&mut self.rng);
                self.network().set_weather(weather);
            }
            68..72 => self.operate().await,
            72..74 => self.agent_comes_or_goes().await,
            74..76 => self.network().cut(),
            76..78 => {
                let is_down = !self.network().is_down();
                self.network().saw(format_args!("exchange down: {is_down}"));
                self.network().set_down(is_down);
            }
            78..81 => self.exchange_pauses().await,
            81..82 => self.market_ends().await,
            82..84 => {
                let is_full = !self.network().disk_is_full();
                self.network().fill_disk(is_full);
            }
            84..87 => self.clock_jumps(),
            87..92 => {
                let operations = self.rng.random_range(1..50);
                self.host.life.end_in(operations);
            }
            92 => self.host.tell(ToDesk::Bus { down: Some("simulated".into()) }).await,
            _ => {}
        }
        if self.rng.random_bool(0.3) {
            self.relent().await;
        }
    }

    /// Misfortunes that stop everything do not last: else nothing else would happen.
    async fn relent(&mut self) {
        self.network().set_down(false);
        self.network().fill_disk(false);
        self.host.tell(ToDesk::Bus { down: None }).await;
        self.resume_if_halted().await;
        if self.rng.random_bool(0.5) {
            for agent in &self.agents {
                self.host.agent_up(agent).await;
            }
            self.open_markets().await;
        }
    }

    /// The exchange ends every pause.
    pub async fn open_markets(&self) {
        let markets = self.markets.clone();
        self.on_floor(move |floor| {
            let now = floor.now();
            floor.exchange.set_trading(now, Trading::Active);
            for market in markets {
                // Those that are not paused refuse.
                let _ = floor.exchange.activate(now, market);
            }
        })
        .await;
    }

    async fn place(&mut self, count: std::ops::Range<u32>) {
        let agent = self.agents[self.rng.random_range(0..2)].clone();
        let market = self.rng.random_range(0..4);
        let Some(market) = self.market_id(market) else { return };
        let mut actions = Vec::new();
        for _ in 0..self.rng.random_range(count) {
            let order = self.order(market);
            actions.push(Action::Place(order));
        }
        self.host.act(&agent, actions).await;
    }

    fn order(&mut self, market: hotpit::model::MarketId) -> NewOrder {
        let is_bid = self.rng.random_bool(0.5);
        let crosses = self.rng.random_bool(0.3);
        let cents = match (is_bid, crosses) {
            (true, false) | (false, true) => self.rng.random_range(30..50),
            (true, true) | (false, false) => self.rng.random_range(50..70),
        };
        let time_in_force = match self.rng.random_range(0..10_u32) {
            0 => TimeInForce::FillOrKill,
            1 | 2 => TimeInForce::ImmediateOrCancel,
            _ => TimeInForce::GoodTillCanceled,
        };
        let rests = time_in_force == TimeInForce::GoodTillCanceled;
        // Now and then a number that was used before.
        let number = if self.rng.random_bool(0.02) { 1 } else { self.next_order };
        self.next_order += 1;
        NewOrder {
            order: OrderId(number),
            market,
            side: if is_bid { Side::Bid } else { Side::Ask },
            price: Price::from_cents(cents),
            quantity: Quantity::from_contracts(self.rng.random_range(1..12)),
            time_in_force,
            post_only: rests && !crosses && self.rng.random_bool(0.3),
            expires: (rests && self.rng.random_bool(0.15)).then(|| {
                self.machine.clock.now() + Duration::from_secs(self.rng.random_range(2..20))
            }),
        }
    }

    async fn cancel(&mut self) {
        let agent = self.agents[self.rng.random_range(0..2)].clone();
        let recent = self.rng.random_range(0..20);
        let market = self.rng.random_range(0..4);
        let action = match self.rng.random_range(0..4_u32) {
            0 => Action::CancelAll(None),
            1 => Action::CancelAll(self.market_id(market)),
            _ => Action::Cancel(OrderId(self.next_order.saturating_sub(recent))),
        };
        self.host.act(&agent, vec![action]).await;
    }

    async fn others_trade(&mut self) {
        let (us, trader) = (self.us, self.trader);
        let pick = self.rng.random_range(0..50_usize);
        let contracts = self.rng.random_range(1..15);
        if self.rng.random_bool(0.7) {
            self.on_floor(move |floor| exchange::hit(floor, trader, us, pick, contracts)).await;
        } else {
            let key = self.markets[pick % self.markets.len()];
            let middle = self.rng.random_range(42..58);
            self.on_floor(move |floor| {
                exchange::quote(floor, trader, key, middle - 5, middle + 5);
            })
            .await;
        }
    }

    async fn operate(&mut self) {
        if self.rng.random_bool(0.5) {
            self.resume_if_halted().await;
            return;
        }
        let all = self.rng.random_bool(0.5);
        let agent = (!all).then(|| self.agents[self.rng.random_range(0..2)].clone());
        let halted = Halted::all("simulated");
        let done = self.host.ask(|done| Command::Halt { agent, halted, done }).await;
        // One that is not on disk does not hold over a restart.
        if all && matches!(done, Some(Ok(()))) {
            self.halted = true;
            self.network().facts(|facts| facts.halted = true);
        }
    }

    async fn agent_comes_or_goes(&mut self) {
        let agent = self.agents[self.rng.random_range(0..2)].clone();
        if self.rng.random_bool(0.5) {
            let reason = "simulated".to_owned();
            self.host.tell(ToDesk::AgentDown { agent, reason }).await;
        } else {
            self.host.agent_up(&agent).await;
        }
    }

    async fn exchange_pauses(&mut self) {
        let pick = self.rng.random_range(0..self.markets.len());
        let key = self.markets[pick];
        let what = self.rng.random_range(0..6_u32);
        self.network().saw(format_args!("exchange pauses: {what}"));
        self.on_floor(move |floor| {
            let now = floor.now();
            match what {
                0 => floor.exchange.set_trading(now, Trading::Paused),
                1 => floor.exchange.set_trading(now, Trading::ExchangePaused),
                2 | 3 => floor.exchange.set_trading(now, Trading::Active),
                // Those in another state refuse.
                4 => drop(floor.exchange.deactivate(now, key)),
                _ => drop(floor.exchange.activate(now, key)),
            }
        })
        .await;
    }

    async fn market_ends(&mut self) {
        let pick = self.rng.random_range(0..self.markets.len());
        let (key, yes) = (self.markets[pick], self.rng.random_bool(0.5));
        self.network().saw(format_args!("market {pick} ends: {yes}"));
        // In a disconnect, mostly.
        if self.rng.random_bool(0.6) {
            self.network().cut();
        }
        self.on_floor(move |floor| exchange::settle(floor, key, yes)).await;
    }

    fn clock_jumps(&mut self) {
        let millis: i64 = match self.rng.random_range(0..4_u32) {
            0 => 0,
            1 | 2 => self.rng.random_range(-8_000..8_000),
            _ => self.rng.random_range(-300_000..300_000),
        };
        self.network().saw(format_args!("clock jumps: {millis} ms"));
        self.jump.set(millis * 1_000_000);
    }
}
