"""`Harness`: an agent without a host, for tests: events go in, actions come out.

Its world is what you tell it: nothing is filled, and no order works, until you say so.
"""

from collections.abc import Iterable

from . import log
from .agent import Agent, Runner
from .context import Context
from .model import (
    Action,
    Event,
    Fill,
    Game,
    GameInfo,
    GameMarket,
    GameStatus,
    Gap,
    GapCause,
    Level,
    Market,
    MarketChange,
    MarketStatus,
    OpenOrder,
    OrderBook,
    OrderState,
    OrderUpdate,
    Outcome,
    Place,
    Position,
    PriceRange,
    Quote,
    Side,
    Situation,
    Statistics,
    Team,
    Timer,
    Trade,
)
from .units import Dollars, GameId, MarketId, Price, Quantity, Timestamp, cents, contracts, seconds


def placed(actions: Iterable[Action]) -> list[Place]:
    """The orders among actions."""
    return [it for it in actions if isinstance(it, Place)]


class World:
    """What the agent under test can look up."""

    def __init__(self) -> None:
        self.known: dict[MarketId, Market] = {}
        self.books: dict[MarketId, OrderBook] = {}
        self.numbers: dict[MarketId, Statistics] = {}
        self.infos: dict[GameId, GameInfo] = {}
        self.situations: dict[GameId, Situation] = {}
        self.positions: dict[MarketId, Position] = {}
        self.orders: dict[int, OpenOrder] = {}
        self.left = Dollars(100_000_000)

    def markets(self) -> list[MarketId]:
        return list(self.known)

    def market(self, market: MarketId) -> Market | None:
        return self.known.get(market)

    def book(self, market: MarketId, depth: int) -> OrderBook | None:
        book = self.books.get(market)
        return book and OrderBook(book.bids[:depth], book.asks[:depth], book.synced)

    def statistics(self, market: MarketId) -> Statistics | None:
        return self.numbers.get(market)

    def games(self) -> list[GameId]:
        return list(self.infos)

    def game(self, game: GameId) -> GameInfo | None:
        return self.infos.get(game)

    def situation(self, game: GameId) -> Situation | None:
        return self.situations.get(game)

    def game_of(self, market: MarketId) -> GameId | None:
        of = (
            it.game for it in self.infos.values() if any(on.market == market for on in it.markets)
        )
        return next(of, None)

    def position(self, market: MarketId) -> Position:
        return self.positions.get(market, Position(market))

    def open_orders(self) -> list[OpenOrder]:
        return list(self.orders.values())

    def budget(self) -> Dollars:
        return self.left


class Harness:
    """An agent under test. Each method that is an event is one batch, and gives its actions."""

    def __init__(self, kind: type[Agent], **params: str) -> None:
        self.kind = kind
        self.params = list(params.items())
        self.world = World()
        self.now = Timestamp(seconds(1_700_000_000))
        self._runner: Runner | None = None

    @property
    def agent(self) -> Agent:
        """The agent itself."""
        return self._running().agent

    @property
    def context(self) -> Context:
        """What the agent sees."""
        return self._running().context

    @property
    def logs(self) -> list[str]:
        """What the agent logged."""
        return [line for _, line in log._kept]

    def market(self, ticker: str, event: str = "") -> "Harness":
        """Adds an active market with prices in whole cents and an empty book."""
        it = MarketId(len(self.world.known) + 1)
        grid = [PriceRange(Price(0), Price(10_000), Price(100))]
        event = event or ticker.rsplit("-", 1)[0]
        self.world.known[it] = Market(
            it, ticker, event, event.split("-")[0], ticker, ticker, MarketStatus.ACTIVE, grid, None
        )
        self.world.books[it] = OrderBook([], [], True)
        return self

    def game(self, home: str, away: str) -> "Harness":
        """Adds a game between the teams that these markets pay for."""
        it = GameId(len(self.world.infos) + 1)
        on = [
            GameMarket(self.id(home), Outcome.HOME_WINS),
            GameMarket(self.id(away), Outcome.AWAY_WINS),
        ]
        teams = Team("Home", "HOM"), Team("Away", "AWY")
        self.world.infos[it] = GameInfo(it, "nfl", *teams, self.now, 4, 900_000, on)
        return self

    def id(self, ticker: str) -> MarketId:
        """The handle of a market."""
        return next(it.market for it in self.world.known.values() if it.ticker == ticker)

    def start(self, restored: bytes | None = None) -> "Harness":
        """Starts the agent. Raises `CannotStart` with its reason if it does not."""
        log._kept.clear()
        self._runner = Runner(self.kind, self.world, self.params, restored)
        return self

    def swap(self) -> list[Action]:
        """Puts a new instance in the place of this one, with its state; its first batch."""
        self.start(self._running().save())
        return self.events()

    def events(self, *events: Event) -> list[Action]:
        """Hands over one batch."""
        self.now = Timestamp(self.now + 1_000_000)
        return self._running().on_events(self.now, list(events))

    def quote(self, ticker: str, bid: int | None, ask: int | None, size: int = 100) -> list[Action]:
        """A book with one level on each side, and the event that tells of it."""
        it = self.id(ticker)
        bids, asks = (
            [] if price is None else [Level(Price(price), contracts(size))] for price in (bid, ask)
        )
        self.world.books[it] = OrderBook(bids, asks, True)
        best_bid, best_ask = (levels[0] if levels else None for levels in (bids, asks))
        return self.events(Quote(it, best_bid, best_ask, self.now))

    def trade(
        self, ticker: str, price: int, count: int = 1, taker: Side = Side.BID
    ) -> list[Action]:
        """Somebody trades."""
        return self.events(Trade(self.id(ticker), Price(price), contracts(count), taker, self.now))

    def status(self, ticker: str, status: int) -> list[Action]:
        """The market's status changes."""
        self.world.known[self.id(ticker)].status = status
        return self.events(MarketChange(self.id(ticker), status, None, self.now))

    def score(self, period: int, left_seconds: int, home: int, away: int) -> list[Action]:
        """The state of the first game changes."""
        game = next(iter(self.world.infos))
        left = left_seconds * 1_000
        return self.events(Game(game, GameStatus.IN_PROGRESS, period, left, home, away, self.now))

    def update(self, order: Place, state: int, reason: str = "") -> list[Action]:
        """The host tells what became of an order."""
        remaining = Quantity(0) if state in OrderState.FINAL else order.quantity
        if remaining:
            self.world.orders[order.order] = OpenOrder(
                order.order, order.market, order.side, order.price, remaining, state
            )
        else:
            self.world.orders.pop(order.order, None)
        return self.events(
            OrderUpdate(order.order, order.market, state, Quantity(0), remaining, reason, self.now)
        )

    def fill(self, order: Place) -> list[Action]:
        """An order is filled, whole."""
        self.world.orders.pop(order.order, None)
        signed = order.quantity if order.side is Side.BID else -order.quantity
        before = self.world.position(order.market)
        position = Quantity(before.quantity + signed)
        self.world.positions[order.market] = Position(order.market, position, order.price)
        at = self.now
        update = OrderUpdate(
            order.order, order.market, OrderState.FILLED, order.quantity, Quantity(0), "", at
        )
        fill = Fill(
            order.order,
            order.market,
            order.side,
            order.price,
            order.quantity,
            Dollars(0),
            False,
            position,
            at,
        )
        return self.events(fill, update)

    def timer(self, due: Timestamp) -> list[Action]:
        """A wake time comes due."""
        self.now = Timestamp(max(self.now, due))
        return self.events(Timer(due))

    def gap(self, ticker: str | None = None) -> list[Action]:
        """Something was missed, of a market or of everything."""
        it = None if ticker is None else self.id(ticker)
        return self.events(Gap(it, GapCause.STREAM_BROKE, 0))

    def _running(self) -> Runner:
        if self._runner is None:
            self.start()
        assert self._runner is not None
        return self._runner


__all__ = ["Harness", "World", "cents", "contracts", "placed"]
