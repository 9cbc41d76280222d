//! The harness does as the host does.

use std::time::Duration;

use hotpit_agent::prelude::*;
use hotpit_agent::testing::Harness;
use serde::{Deserialize, Serialize};

/// Writes down what it hears of timers, and asks for one as it starts.
#[derive(Default, Serialize, Deserialize)]
struct Sleeper {
    starts: u64,
    woken: Vec<Timestamp>,
}

impl Agent for Sleeper {
    type Params = ();

    fn on_start(&mut self, ctx: &mut Context, _: bool) {
        self.starts += 1;
        ctx.wake_after(Duration::from_secs(self.starts));
    }

    fn on_timer(&mut self, _: &mut Context, due: Timestamp) {
        self.woken.push(due);
    }
}

#[test]
fn a_swap_forgets_the_wake_times_of_the_instance_before() {
    let mut harness = Harness::<Sleeper>::new();
    harness.batch(&[]);
    harness.swap();
    harness.batch(&[]);
    let second = harness.now() + Duration::from_secs(2);
    harness.advance(Duration::from_secs(9));
    assert_eq!(harness.agent().woken, [second]);
}

#[test]
fn a_swap_that_fails_leaves_the_wake_times_to_the_instance_that_goes_on() {
    let mut harness = Harness::<Sleeper>::new();
    harness.batch(&[]);
    let first = harness.now() + Duration::from_secs(1);
    harness.start_from(Some(b"noise")).unwrap_err();
    harness.advance(Duration::from_secs(9));
    assert_eq!(harness.agent().woken, [first]);
}
