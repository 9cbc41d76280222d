use super::*;

fn tickers(names: &[&str]) -> Tickers {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn subscription(channel: Channel, chunk_max: usize) -> Subscription {
    let rng = hotpit_rt::Entropy::seeded(1).rng("test");
    let backoff = Backoff::new(PAUSE, PAUSE * 30, rng);
    Subscription::new(channel, chunk_max, true, backoff)
}

fn names(tickers: &[Arc<str>]) -> Vec<&str> {
    tickers.iter().map(|ticker| &**ticker).collect()
}

/// Drives a subscription until it wants nothing more, refusing commands that name `bad`.
fn settle(subscription: &mut Subscription, wanted: &Tickers, bad: &str) -> Vec<Change> {
    let now = Timestamp::from_secs(1);
    let mut changes = Vec::new();
    subscription.wake();
    while let Some((change, _)) = subscription.next(wanted, 1, now) {
        let is_bad = change.added().iter().any(|ticker| &**ticker == bad);
        match &change {
            _ if is_bad => subscription.failed(11, std::iter::empty(), now),
            Change::Subscribe(_) => subscription.subscribed(7, now),
            Change::Add(_) | Change::Remove(_) | Change::End => {
                subscription.done(None, now);
            }
        }
        changes.push(change);
    }
    changes
}

#[test]
fn markets_are_added_in_chunks_and_taken_out_again() {
    let mut books = subscription(Channel::Books, 2);
    let changes = settle(&mut books, &tickers(&["A", "B", "C", "D", "E"]), "");
    assert_eq!(names(changes[0].added()), ["A", "B"]);
    assert_eq!(names(changes[1].added()), ["C", "D"]);
    assert_eq!(names(changes[2].added()), ["E"]);
    let changes = settle(&mut books, &tickers(&["B", "F"]), "");
    assert_eq!(changes[0], Change::Add(vec!["F".into()]));
    assert_eq!(changes[1], Change::Remove(vec!["A".into(), "C".into()]));
    assert_eq!(changes[2], Change::Remove(vec!["D".into(), "E".into()]));
    assert_eq!(books.held(), &tickers(&["B", "F"]));
}

#[test]
fn a_subscription_is_never_left_without_markets() {
    let mut books = subscription(Channel::Books, 10);
    settle(&mut books, &tickers(&["A", "B"]), "");
    assert_eq!(settle(&mut books, &Tickers::new(), ""), [Change::End]);
    assert_eq!(books.sid(), None);
    let changes = settle(&mut books, &tickers(&["A"]), "");
    assert_eq!(changes, [Change::Subscribe(vec!["A".into()])]);
}

#[test]
fn a_market_that_is_refused_is_found_and_the_others_are_let_in() {
    let all = ["A", "B", "C", "D", "E", "F", "G"];
    for bad in all {
        let mut books = subscription(Channel::Books, 10);
        let changes = settle(&mut books, &tickers(&all), bad);
        assert!(changes.len() < 12, "{bad}: {changes:?}");
        assert_eq!(books.held().len(), 6, "{bad}");
        assert_eq!(books.refusals(), 1, "{bad}");
    }
}

#[test]
fn a_named_market_and_one_that_is_not_listed_count_as_refused() {
    let now = Timestamp::from_secs(1);
    let wanted = tickers(&["A", "B", "C"]);
    let mut books = subscription(Channel::Books, 10);
    books.next(&wanted, 1, now);
    books.failed(16, ["B"].into_iter(), now);
    let (change, _) = books.next(&wanted, 2, now).unwrap();
    assert_eq!(change, Change::Subscribe(vec!["A".into(), "C".into()]));
    books.sid = Some(1);
    books.done(Some(&BTreeSet::from(["A"])), now);
    assert_eq!(books.held(), &tickers(&["A"]));
    assert_eq!(books.next(&wanted, 3, now), None);
    assert!(books.next(&wanted, 3, now + LONG_PAUSE).is_some(), "refused is not for ever");
    books.failed(16, ["B", "C"].into_iter(), now);
    // What is wanted anew is asked for anew.
    books.wake();
    books.next(&tickers(&["A"]), 4, now);
    books.wake();
    assert!(books.next(&wanted, 5, now).is_some());
}

#[test]
fn a_fault_that_passes_is_waited_out() {
    let now = Timestamp::from_secs(1);
    let wanted = tickers(&["A"]);
    let mut books = subscription(Channel::Books, 10);
    for code in [1, 18, 27] {
        let at = now + Duration::from_secs(u64::try_from(code).unwrap() * 10);
        assert!(books.next(&wanted, 1, at).is_some());
        books.failed(code, std::iter::empty(), at);
        assert!(books.next(&wanted, 2, at).is_none(), "{code}");
    }
    let later = now + Duration::from_secs(1_000);
    assert!(books.next(&wanted, 3, later).is_some());
    assert!(books.awaits(3));
    assert!(!books.is_overdue(later + Duration::from_secs(5), Duration::from_secs(5)));
    assert!(books.is_overdue(later + Duration::from_secs(6), Duration::from_secs(5)));
}

#[test]
fn a_full_subscription_takes_what_fits_and_names_the_rest() {
    let now = Timestamp::from_secs(1);
    let wanted = tickers(&["A", "B", "C", "D", "E"]);
    let mut books = subscription(Channel::Books, 10);
    let mut commands = 0;
    while let Some((change, _)) = books.next(&wanted, 1, now) {
        commands += 1;
        if books.held().len() + change.added().len() > 3 {
            books.failed(26, std::iter::empty(), now);
        } else {
            books.subscribed(7, now);
        }
    }
    assert!(commands < 10, "{commands}");
    assert_eq!(books.left_out(&wanted).cloned().collect::<Tickers>(), tickers(&["D", "E"]));
    assert!(books.next(&wanted, 2, now + LONG_PAUSE).is_some(), "there may be room by then");
    books.failed(26, std::iter::empty(), now + LONG_PAUSE);
    books.wake();
    let fewer = tickers(&["A", "D"]);
    let mut changes = Vec::new();
    while let Some((change, _)) = books.next(&fewer, 3, now + LONG_PAUSE) {
        books.done(None, now);
        changes.push(change);
    }
    let removed = Change::Remove(vec!["B".into(), "C".into()]);
    assert_eq!(changes, [removed, Change::Add(vec!["D".into()])]);
}

#[test]
fn a_full_subscription_that_ends_is_made_again() {
    let now = Timestamp::from_secs(1);
    let wanted = tickers(&["A", "B"]);
    let mut books = subscription(Channel::Books, 1);
    books.next(&wanted, 1, now);
    books.subscribed(7, now);
    books.next(&wanted, 2, now);
    books.failed(26, std::iter::empty(), now);
    books.ended(now);
    assert!(books.next(&wanted, 3, now).is_some());
}

#[test]
fn markets_that_cannot_be_taken_out_are_out() {
    let now = Timestamp::from_secs(1);
    let mut books = subscription(Channel::Books, 10);
    settle(&mut books, &tickers(&["A", "B"]), "");
    books.wake();
    assert!(books.next(&tickers(&["A"]), 1, now).is_some());
    books.failed(11, std::iter::empty(), now);
    assert_eq!(books.held(), &tickers(&["A"]));
    let (change, _) = books.next(&tickers(&["A", "B"]), 2, now).unwrap();
    assert_eq!(change, Change::Add(vec!["B".into()]));
}

#[test]
fn a_subscription_that_keeps_ending_is_made_later_each_time() {
    let wanted = tickers(&["A"]);
    let mut books = subscription(Channel::Books, 10);
    let mut now = Timestamp::from_secs(100);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let began = now;
        while books.next(&wanted, 1, now).is_none() {
            now = now + Duration::from_millis(100);
        }
        pauses.push(now.since(began).as_millis());
        books.subscribed(7, now);
        books.ended(now);
    }
    assert_eq!(pauses[..2], [0, 0]);
    assert!(pauses[7] > 10_000, "{pauses:?}");
    now = now + Duration::from_secs(60);
    books.next(&wanted, 1, now);
    books.subscribed(7, now);
    now = now + HEALTHY_AFTER;
    books.ended(now);
    assert!(books.next(&wanted, 1, now).is_some(), "the first retry is at once");
}

#[test]
fn a_channel_of_all_markets_is_subscribed_once() {
    let mut fills = subscription(Channel::Fills, 10);
    assert_eq!(settle(&mut fills, &Tickers::new(), ""), [Change::Subscribe(vec![])]);
    fills.wake();
    assert_eq!(settle(&mut fills, &tickers(&["A"]), ""), []);
    fills.ended(Timestamp::EPOCH);
    assert_eq!(settle(&mut fills, &Tickers::new(), ""), [Change::Subscribe(vec![])]);
}
