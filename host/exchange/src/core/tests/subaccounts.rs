//! Subaccounts: what each has of its own.

use super::*;

impl Floor {
    fn subaccount(&mut self, owner: AccountId, dollars: i64) -> AccountId {
        let account = self.exchange.open_subaccount(owner).unwrap();
        self.exchange.deposit(account, SHARD, Dollars::from_dollars(dollars));
        account
    }
}

#[test]
fn every_subaccount_has_cash_positions_orders_and_groups_of_its_own() {
    let mut floor = Floor::new();
    let (owner, other) = (floor.member(100), floor.member(100));
    let one = floor.subaccount(owner, 10);
    let two = floor.subaccount(owner, 10);
    let group = floor.group(one, 5);
    floor.ask(other, 50, 4);
    let bought = floor.bid(one, 50, 4);
    let resting = floor.bid(two, 40, 5);

    assert_eq!(floor.position(one).quantity, contracts(4));
    assert_eq!(floor.position(two).quantity, Quantity::ZERO);
    assert_eq!(floor.position(owner).quantity, Quantity::ZERO);
    assert_eq!(floor.balance(owner).cash, dollars("100"));
    assert!(floor.balance(one).cash < dollars("8"));
    assert_eq!(floor.exchange.account(one).fills().len(), 1);
    assert_eq!(floor.exchange.account(two).orders(), [resting.order_id]);
    assert_eq!(floor.exchange.account(one).orders(), [bought.order_id]);
    let user = floor.exchange.account(owner).user_id;
    let numbers = floor.exchange.accounts_of(owner).map(|account| {
        let account = floor.exchange.account(account);
        assert_eq!((account.user_id, account.owner), (user, owner));
        account.subaccount
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2]);

    let grouped = NewOrder { order_group_id: Some(group), ..floor.order(Side::Bid, 30, 1) };
    assert_eq!(floor.send(two, grouped), Err(ExchangeError::OrderGroupNotFound));
    let dear = floor.order(Side::Bid, 90, 20);
    let refused = floor.send(two, dear).unwrap_err();
    assert!(matches!(refused, ExchangeError::InsufficientBalance { .. }), "{refused}");
}

#[test]
fn an_order_is_canceled_by_its_own_subaccount_alone() {
    let mut floor = Floor::new();
    let owner = floor.member(100);
    let (one, two) = (floor.subaccount(owner, 10), floor.subaccount(owner, 10));
    let order = floor.bid(one, 40, 5);
    for stranger in [owner, two] {
        let canceled =
            floor.exchange.cancel_order(floor.now, stranger, order.order_id, Route::Shard(SHARD));
        assert_eq!(canceled, Err(ExchangeError::OrderNotFound));
        assert_eq!(floor.exchange.cancel_all(floor.now, stranger, None), Ok(vec![]));
    }
    let canceled = floor.exchange.cancel_all(floor.now, one, None).unwrap();
    assert_eq!(canceled.len(), 1);
}

#[test]
fn cash_moves_between_the_accounts_of_a_user_as_far_as_it_is_free() {
    let mut floor = Floor::new();
    let (owner, other) = (floor.member(100), floor.member(100));
    let one = floor.subaccount(owner, 0);
    let mut transfer =
        |from, to, amount: &str| floor.exchange.transfer_between(from, to, SHARD, dollars(amount));
    assert_eq!(transfer(owner, one, "60"), Ok(()));
    assert_eq!(transfer(one, owner, "10.5"), Ok(()));
    let short =
        ListingError::Balance { shard: SHARD, available: dollars("49.5"), wanted: dollars("50") };
    assert_eq!(transfer(one, owner, "50"), Err(short));
    for (from, to) in [(owner, other), (one, other), (one, one)] {
        assert_eq!(transfer(from, to, "1"), Err(ListingError::Subaccounts));
    }
    let cash = [owner, one, other].map(|account| floor.balance(account).cash);
    assert_eq!(cash, ["50.5", "49.5", "100"].map(dollars));
    floor.exchange.check_invariants().unwrap();
}

#[test]
fn a_user_has_at_most_63_subaccounts_and_a_subaccount_none() {
    let mut floor = Floor::new();
    let owner = floor.member(1);
    for _ in 0..SUBACCOUNTS_MAX {
        floor.subaccount(owner, 1);
    }
    assert_eq!(floor.exchange.open_subaccount(owner), Err(ListingError::Subaccounts));
    let last = floor.exchange.subaccount(owner, 63).unwrap();
    assert_eq!(floor.exchange.account(last).subaccount, 63);
    assert_eq!(floor.exchange.subaccount(owner, 64), None);
    assert_eq!(floor.exchange.open_subaccount(last), Err(ListingError::Subaccounts));
}
