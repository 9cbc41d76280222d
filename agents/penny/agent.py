"""Pennying: the best bid and the best ask of a wide market, each by the least step.

At most one order works on each side of a market; it is moved when the others moved, and its
position never goes beyond the limit. Nothing is quoted on a book that is not synced. A side whose
order was refused is quiet for a second: the reason is most likely still there.
"""

from dataclasses import dataclass

from hotpit_agent import (
    Agent,
    Context,
    Fill,
    Gap,
    MarketChange,
    MarketId,
    MarketStatus,
    OrderId,
    OrderState,
    OrderUpdate,
    Param,
    Price,
    Quantity,
    Quote,
    Side,
    Timestamp,
    log,
    price,
    quantity,
    seconds,
    series,
    show_price,
    show_quantity,
)


QUIET = seconds(1)


@dataclass
class Working:
    """An order that may still trade."""

    order: OrderId
    price: Price
    remaining: Quantity
    is_canceling: bool = False


class Penny(Agent):
    name = "penny"
    version = "0.1.0"
    subscriptions = [series("KXNFLGAME")]

    spread = Param(price, "0.03", "The narrowest spread of others that is quoted in, in dollars.")
    size = Param(quantity, "5", "The size of each quote, in contracts.")
    limit = Param(quantity, "20", "The largest position in a market, long or short, in contracts.")

    def __init__(self) -> None:
        super().__init__()
        self.state = {"fills": 0}
        self.working: dict[tuple[MarketId, Side], Working] = {}
        self.quiet_until: dict[tuple[MarketId, Side], Timestamp] = {}
        self.dirty: set[MarketId] = set()

    def configure(self) -> str | None:
        if self.size <= 0 or self.limit < self.size:
            return "`size` must be more than 0, and `limit` at least `size`"
        return None

    def on_start(self, ctx: Context, restored: bool) -> None:
        # The host knows which orders of the version before still work.
        for it in ctx.open_orders():
            if (it.market, it.side) in self.working:
                ctx.cancel(it.order)
            else:
                self.working[it.market, it.side] = Working(it.order, it.price, it.remaining)
            self.dirty.add(it.market)

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.dirty.add(quote.market)

    def on_market(self, ctx: Context, change: MarketChange) -> None:
        self.dirty.add(change.market)

    def on_order(self, ctx: Context, update: OrderUpdate) -> None:
        for key, it in list(self.working.items()):
            if it.order == update.order:
                it.remaining = update.remaining
                if update.is_final:
                    del self.working[key]
                if update.state in (OrderState.DENIED, OrderState.REJECTED):
                    self.quiet_until[key] = Timestamp(ctx.now + QUIET)
                    ctx.wake_at(self.quiet_until[key])
        self.dirty.add(update.market)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.state["fills"] += 1
        count, at = show_quantity(fill.quantity), show_price(fill.price)
        log.info(f"fill {self.state['fills']}: {fill.side.name.lower()} {count} at {at}")
        self.dirty.add(fill.market)

    def on_timer(self, ctx: Context, due: Timestamp) -> None:
        self.dirty.update(market for market, _ in self.quiet_until)

    def on_gap(self, ctx: Context, gap: Gap) -> None:
        ctx.cancel_all(gap.market)
        for (market, _), it in self.working.items():
            if gap.market in (None, market):
                it.is_canceling = True

    def after_events(self, ctx: Context) -> None:
        for market in sorted(self.dirty):
            self.requote(ctx, market)
        self.dirty.clear()

    def requote(self, ctx: Context, market: MarketId) -> None:
        """Moves both quotes of a market to where they should be."""
        for side, target in self.targets(ctx, market).items():
            it = self.working.get((market, side))
            if it is None:
                if target is not None and ctx.now >= self.quiet_until.get((market, side), 0):
                    at, count = target
                    order = ctx.order(market, side, at, count, post_only=True)
                    self.working[market, side] = Working(order, at, count)
            elif not it.is_canceling and (target is None or target[0] != it.price):
                it.is_canceling = True
                ctx.cancel(it.order)

    def targets(self, ctx: Context, market: MarketId) -> dict[Side, tuple[Price, Quantity] | None]:
        """Where the quotes should be; None where there should be none."""
        nothing = {Side.BID: None, Side.ASK: None}
        known, book = ctx.market(market), ctx.book(market, 2)
        if known is None or book is None or not book.synced:
            return nothing
        bid, ask = (
            self.best_of_others(market, side, levels)
            for side, levels in ((Side.BID, book.bids), (Side.ASK, book.asks))
        )
        if known.status != MarketStatus.ACTIVE or bid is None or ask is None:
            return nothing
        if ask - bid < self.spread:
            return nothing
        held = ctx.position(market).quantity
        room = {Side.BID: self.limit - held, Side.ASK: self.limit + held}
        better = {Side.BID: known.above(bid), Side.ASK: known.below(ask)}
        return {
            side: None if at is None or room[side] < self.size else (at, Quantity(self.size))
            for side, at in better.items()
        }

    def best_of_others(self, market: MarketId, side: Side, levels: list) -> Price | None:
        """The best price where more stands than this agent's own order."""
        own = self.working.get((market, side))
        for level in levels:
            if own is None or level.price != own.price or level.quantity > own.remaining:
                return level.price
        return None
