//! Orders that were taken to have ended, or for somebody else's, and are there.

use super::*;

fn rejected(floor: &mut Floor) -> Sent {
    let sent = floor.place(bid(1, 50, 10));
    let rejected = PlaceOutcome::Rejected { reason: "a proxy in between".to_owned() };
    floor.apply(Input::Placed { order: sent.key, outcome: rejected });
    assert_eq!(floor.told(), [OrderState::Rejected]);
    sent
}

fn lost(sent: &Sent) -> Input {
    let outcome = PlaceOutcome::Unknown { reason: "timeout".to_owned() };
    Input::Placed { order: sent.key, outcome }
}

#[test]
fn an_order_that_was_refused_and_is_there_does_not_escape_a_halt() {
    let halts: [fn(&mut Floor); 4] = [
        |floor| floor.apply(Input::Halt { agent: None, halted: Halted::all("operator") }),
        |floor| floor.apply(Input::Halt { agent: Some(agent()), halted: Halted::all("operator") }),
        |floor| floor.apply(Input::AgentDown { agent: agent(), reason: "deleted".to_owned() }),
        |floor| floor.apply(Input::Shutdown),
    ];
    for halt in halts {
        for by_fill in [true, false] {
            let mut floor = Floor::open();
            let sent = rejected(&mut floor);
            halt(&mut floor);
            floor.apply(if by_fill {
                Input::Fill(filled(&sent, "f1", 4, floor.now))
            } else {
                Input::Order(reported(&sent, VenueOrderStatus::Resting, 4))
            });
            assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
            assert_eq!(floor.differences(), ["order_back"]);
            // By a fill alone its name at the exchange is known as well.
            assert_eq!(floor.cancels().len(), 1);
        }
    }
    let mut floor = Floor::open();
    let sent = rejected(&mut floor);
    floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Resting, 4)));
    assert!(floor.cancels().is_empty(), "its agent runs and nothing is halted");
}

#[test]
fn a_fill_that_may_be_an_orders_is_believed_over_a_listing_without_it() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(lost(&sent));
    floor.pass(Duration::from_secs(5));
    let fill = VenueFill { client_order_id: None, ..filled(&sent, "f1", 4, floor.now) };
    floor.apply(Input::Fill(fill));
    floor.pass(Duration::from_secs(5));
    let absent =
        |floor: &Floor| Input::Found { order: sent.key, asked_at: floor.now, result: Ok(None) };
    floor.apply(absent(&floor));
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(10))]);
    let found = Ok(Some(reported(&sent, VenueOrderStatus::Resting, 4)));
    floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: found });
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    assert_eq!(floor.position(), contracts(4));
}

#[test]
fn a_fill_that_is_somebody_elses_does_not_keep_an_order_for_ever() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(lost(&sent));
    let fill = VenueFill {
        client_order_id: None,
        venue_order_id: "elsewhere".into(),
        ..filled(&sent, "f1", 4, floor.now)
    };
    floor.apply(Input::Fill(fill));
    floor.pass(Duration::from_secs(61));
    floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: Ok(None) });
    assert_eq!(floor.working(), []);
    let line = &floor.desk.report().positions[0];
    assert_eq!((line.agent.clone(), line.quantity), (None, contracts(4)));
}

/// How many questions a minute there are if each is answered thus.
fn questions(floor: &mut Floor, sent: &Sent, answer: &VenueOrder) -> usize {
    let mut asked = 0;
    for _ in 0..600 {
        floor.pass(Duration::from_millis(100));
        if floor.finds() > 0 {
            asked += 1;
            let result = Ok(Some(answer.clone()));
            floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result });
        }
    }
    asked
}

#[test]
fn answers_that_say_nothing_are_asked_for_ever_more_seldom() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(lost(&sent));
    let nothing = reported(&sent, VenueOrderStatus::Unknown, 0);
    assert_eq!(questions(&mut floor, &sent, &nothing), 7);
}

#[test]
fn a_contradiction_is_asked_about_ever_more_seldom() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    // Four are filled, and then it is said that there never was an order.
    let fill = filled(&sent, "f1", 4, floor.now);
    floor.apply(lost(&sent));
    floor.apply(Input::Fill(fill));
    let key = sent.key;
    floor.desk.ask(key, floor.now);
    floor.desk.orders.get_mut(key).unwrap().state = OrderState::Unknown;
    let mut asked = 0;
    for _ in 0..600 {
        floor.pass(Duration::from_millis(100));
        if floor.finds() > 0 {
            asked += 1;
            floor.apply(Input::Found { order: key, asked_at: floor.now, result: Ok(None) });
        }
    }
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(6))]);
    assert!((5..=8).contains(&asked), "{asked}");
}

#[test]
fn a_position_that_is_told_and_not_ours_makes_the_desk_read_the_account() {
    let told = |quantity| {
        let ticker = Arc::from(TICKER);
        Input::Position(VenuePosition { ticker, quantity: contracts(quantity) })
    };
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(Input::Placed { order: sent.key, outcome: accepted(&sent, 0) });
    floor.pass(Duration::from_secs(5));
    // Told before its fill, as happens all the time.
    floor.apply(told(4));
    floor.apply(Input::Fill(filled(&sent, "f1", 4, floor.now)));
    floor.pass(Duration::from_secs(2));
    assert_eq!(floor.reads(), 0);
    // Told, and its fill never comes.
    floor.apply(told(7));
    floor.pass(Duration::from_millis(900));
    assert_eq!(floor.reads(), 0);
    floor.pass(Duration::from_millis(900));
    assert_eq!(floor.reads(), 1);
}
