"""`Context`: everything an agent can see and do while it handles a batch."""

from typing import Protocol

from .model import (
    Action,
    Cancel,
    CancelAll,
    GameInfo,
    Market,
    OpenOrder,
    OrderBook,
    Place,
    Position,
    Side,
    Situation,
    Statistics,
    TimeInForce,
    WakeAt,
)
from .units import Dollars, GameId, MarketId, OrderId, Price, Quantity, Timestamp


class Host(Protocol):
    """What an agent can look up: in a component the host's imports, in a test the harness."""

    def markets(self) -> list[MarketId]: ...
    def market(self, market: MarketId) -> Market | None: ...
    def book(self, market: MarketId, depth: int) -> OrderBook | None: ...
    def statistics(self, market: MarketId) -> Statistics | None: ...
    def games(self) -> list[GameId]: ...
    def game(self, game: GameId) -> GameInfo | None: ...
    def situation(self, game: GameId) -> Situation | None: ...
    def game_of(self, market: MarketId) -> GameId | None: ...
    def position(self, market: MarketId) -> Position: ...
    def open_orders(self) -> list[OpenOrder]: ...
    def budget(self) -> Dollars: ...


_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1
_I64 = (1 << 63) - 1


def whole(name: str, value: int, low: int, high: int) -> int:
    """A number as the contract takes it. Wrong ones are told at the line that made them."""
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {value!r}: money has no floats here")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: must be from {low} to {high}")
    return value


class Context:
    """What an agent can see and do. What it orders is sent when the batch is done.

    Its own account is as of the batch; markets, books and games are as they are when it asks.
    """

    def __init__(self, host: Host, last_order: int = 0) -> None:
        self._host = host
        self._last_order = last_order
        self._actions: list[Action] = []
        self.now: Timestamp = Timestamp(0)
        """When the batch was made: the only clock there is."""

    def buy(
        self,
        market: MarketId,
        price: Price,
        quantity: Quantity,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED,
        post_only: bool = False,
        expires: Timestamp | None = None,
    ) -> OrderId:
        """Orders to buy YES. Updates and fills will name the number it gives."""
        return self.order(
            market,
            Side.BID,
            price,
            quantity,
            time_in_force=time_in_force,
            post_only=post_only,
            expires=expires,
        )

    def sell(
        self,
        market: MarketId,
        price: Price,
        quantity: Quantity,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED,
        post_only: bool = False,
        expires: Timestamp | None = None,
    ) -> OrderId:
        """Orders to sell YES, which is the same as buying NO at $1 minus the price."""
        return self.order(
            market,
            Side.ASK,
            price,
            quantity,
            time_in_force=time_in_force,
            post_only=post_only,
            expires=expires,
        )

    def order(
        self,
        market: MarketId,
        side: Side,
        price: Price,
        quantity: Quantity,
        *,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED,
        post_only: bool = False,
        expires: Timestamp | None = None,
    ) -> OrderId:
        """Orders on a side that is known at run time alone.

        `post_only`: never take liquidity. `expires`: when the exchange shall cancel it, in whole
        seconds of this timestamp.
        """
        if not isinstance(side, Side):
            raise TypeError(f"side must be Side.BID or Side.ASK, not {side!r}")
        if not isinstance(time_in_force, TimeInForce):
            raise TypeError(f"time_in_force must be a TimeInForce, not {time_in_force!r}")
        whole("market", market, 0, _U32)
        whole("price", price, 0, _U32)
        whole("quantity", quantity, -_I64, _I64)
        if expires is not None:
            whole("expires", expires, 0, _U64)
        # The time keeps numbers apart over restarts that lost the state, one more than the last
        # within a batch.
        self._last_order = max(self.now, self._last_order + 1)
        order = OrderId(self._last_order)
        self._actions.append(
            Place(order, market, side, price, quantity, time_in_force, bool(post_only), expires)
        )
        return order

    def cancel(self, order: OrderId) -> None:
        """Cancels an order. It may still trade until an update says that it is done."""
        self._actions.append(Cancel(OrderId(whole("order", order, 0, _U64))))

    def cancel_all(self, market: MarketId | None = None) -> None:
        """Cancels all orders of this agent in a market, or everywhere."""
        if market is not None:
            whole("market", market, 0, _U32)
        self._actions.append(CancelAll(market))

    def wake_at(self, at: Timestamp) -> None:
        """Asks for a timer event. None survives a swap or a restart."""
        self._actions.append(WakeAt(Timestamp(whole("at", at, 0, _U64))))

    def markets(self) -> list[MarketId]:
        """Every market this agent is subscribed to."""
        return self._host.markets()

    def market(self, market: MarketId) -> Market | None:
        """What is known of a market; None if the agent is not subscribed to it."""
        return self._host.market(market)

    def market_id(self, ticker: str) -> MarketId | None:
        """The market with this ticker. Asks for all of them: look it up once."""
        for market in self.markets():
            known = self.market(market)
            if known is not None and known.ticker == ticker:
                return market
        return None

    def book(self, market: MarketId, depth: int) -> OrderBook | None:
        """Up to `depth` levels of each side. The agent's own orders are part of it."""
        return self._host.book(market, depth)

    def statistics(self, market: MarketId) -> Statistics | None:
        """The numbers of a market's trading; None if they were not heard yet."""
        return self._host.statistics(market)

    def games(self) -> list[GameId]:
        """Every game this agent is subscribed to."""
        return self._host.games()

    def game(self, game: GameId) -> GameInfo | None:
        """What is known of a game; None if the agent is not subscribed to it."""
        return self._host.game(game)

    def situation(self, game: GameId) -> Situation | None:
        """What goes on in a game; None where the scoreboard says nothing at this moment."""
        return self._host.situation(game)

    def game_of(self, market: MarketId) -> GameId | None:
        """The game that a market is on; None where the host is not certain of one."""
        return self._host.game_of(market)

    def position(self, market: MarketId) -> Position:
        """This agent's position in a market."""
        return self._host.position(market)

    def open_orders(self) -> list[OpenOrder]:
        """This agent's orders that may still trade, those of this very batch apart."""
        return self._host.open_orders()

    def budget(self) -> Dollars:
        """What this agent may still put at risk before its exposure limit."""
        return self._host.budget()
