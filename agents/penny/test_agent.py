"""Tests of penny, without a host: `python3 -m unittest discover agents/penny`."""

import unittest

from agent import Penny
from hotpit_agent import (
    Cancel,
    CancelAll,
    MarketStatus,
    OrderState,
    Side,
    WakeAt,
    cents,
    contracts,
    seconds,
)
from hotpit_agent.agent import CannotStart
from hotpit_agent.testing import Harness, placed


class PennyTest(unittest.TestCase):
    def setUp(self) -> None:
        self.it = Harness(Penny).market("KX-1").start()

    def test_it_betters_both_sides_of_a_wide_market(self) -> None:
        orders = placed(self.it.quote("KX-1", cents(40), cents(48)))
        self.assertEqual(
            [(it.side, it.price, it.quantity, it.post_only) for it in orders],
            [
                (Side.BID, cents(41), contracts(5), True),
                (Side.ASK, cents(47), contracts(5), True),
            ],
        )

    def test_it_leaves_a_narrow_or_paused_market_alone(self) -> None:
        self.assertEqual(self.it.quote("KX-1", cents(46), cents(48)), [])
        self.assertEqual(self.it.quote("KX-1", None, cents(48)), [])
        self.it.status("KX-1", MarketStatus.INACTIVE)
        self.assertEqual(self.it.quote("KX-1", cents(40), cents(48)), [])

    def test_it_moves_an_order_only_after_the_one_before_is_over(self) -> None:
        bid, ask = placed(self.it.quote("KX-1", cents(40), cents(48)))
        moved = self.it.quote("KX-1", cents(42), cents(48))
        self.assertEqual(moved, [Cancel(bid.order)])
        self.assertEqual(self.it.quote("KX-1", cents(42), cents(48)), [])
        [new] = placed(self.it.update(bid, OrderState.CANCELED))
        self.assertEqual((new.side, new.price), (Side.BID, cents(43)))
        self.assertNotEqual(new.order, bid.order)

    def test_a_refused_order_is_not_sent_again_for_a_second(self) -> None:
        bid, _ = placed(self.it.quote("KX-1", cents(40), cents(48)))
        [wake] = self.it.update(bid, OrderState.DENIED, "ORDER_RATE: limit=10")
        self.assertEqual(wake, WakeAt(self.it.now + seconds(1)))
        self.assertEqual(self.it.quote("KX-1", cents(40), cents(48)), [])
        [again] = placed(self.it.timer(wake.at))
        self.assertEqual((again.side, again.price), (Side.BID, cents(41)))

    def test_its_own_order_is_not_to_be_bettered(self) -> None:
        bid, ask = placed(self.it.quote("KX-1", cents(40), cents(48)))
        self.assertEqual(
            self.it.quote("KX-1", bid.price, ask.price, size=5),
            [Cancel(bid.order), Cancel(ask.order)],
        )

    def test_it_stops_at_its_limit(self) -> None:
        actions = self.it.quote("KX-1", cents(40), cents(48))
        for _ in range(4):
            [bid] = (it for it in placed(actions) if it.side is Side.BID)
            actions = self.it.fill(bid)
        self.assertEqual(placed(actions), [])
        self.assertEqual([side for _, side in self.it.agent.working], [Side.ASK])

    def test_a_gap_cancels_and_a_swap_keeps_the_count(self) -> None:
        bid, _ = placed(self.it.quote("KX-1", cents(40), cents(48)))
        self.assertEqual(self.it.gap(), [CancelAll(None)])
        self.it.fill(bid)
        self.it.swap()
        self.assertEqual(self.it.agent.state["fills"], 1)

    def test_what_the_contract_does_not_take_is_told_where_it_is_written(self) -> None:
        ctx = self.it.context
        for wrong, kind in [
            (lambda: ctx.buy(1, 0.45, contracts(1)), TypeError),
            (lambda: ctx.buy(1, cents(45), 1.5), TypeError),
            (lambda: ctx.buy(1, -5, contracts(1)), ValueError),
            (lambda: ctx.sell(None, cents(45), contracts(1)), TypeError),
            (lambda: ctx.order(1, "buy", cents(45), contracts(1)), TypeError),
            (lambda: ctx.cancel("x"), TypeError),
            (lambda: ctx.wake_at(ctx.now + 1e9), TypeError),
            (lambda: ctx.cancel_all(-1), ValueError),
        ]:
            with self.assertRaises(kind):
                wrong()
        self.assertEqual(self.it.events(), [], "nothing of it was kept")

    def test_parameters_are_checked(self) -> None:
        for params, why in [
            ({"size": "0"}, "must be more than 0"),
            ({"spread": "wide"}, "parameter `spread` = `wide`: not a number"),
            ({"edge": "1"}, "parameter `edge` is unknown (known: spread, size, limit)"),
        ]:
            with self.subTest(params), self.assertRaises(CannotStart) as caught:
                Harness(Penny, **params).start()
            self.assertIn(why, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
