"""What an agent hears, asks and wants: the vocabulary of the contract, `wit/agent.wit`.

What is a code there is an integer here too, because a newer host may know more of them than this
module: compare with the constants, and accept others.
"""

from dataclasses import dataclass, field
from enum import Enum

from .units import Dollars, GameId, MarketId, OrderId, Price, Quantity, Timestamp


class Side(Enum):
    """A side of the book of the YES leg: a bid buys YES, an ask sells it."""

    BID = 0
    ASK = 1


class TimeInForce(Enum):
    """How long an order works."""

    GOOD_TILL_CANCELED = 0
    IMMEDIATE_OR_CANCEL = 1
    FILL_OR_KILL = 2


class MarketStatus:
    """Where a market is in its life. Orders are accepted in ACTIVE alone."""

    UNKNOWN, INITIALIZED, ACTIVE, INACTIVE, CLOSED = 0, 1, 2, 3, 4
    DETERMINED, DISPUTED, AMENDED, FINALIZED = 5, 6, 7, 8


class GameStatus:
    """Where a game is."""

    UNKNOWN, SCHEDULED, IN_PROGRESS, HALFTIME, END_OF_PERIOD = 0, 1, 2, 3, 4
    FINAL, DELAYED, POSTPONED, CANCELED, SUSPENDED = 5, 6, 7, 8, 9


class OrderState:
    """Where an order is.

    DENIED: by the host's risk manager, it never was an order. REJECTED: by the exchange. UNKNOWN:
    the exchange's answer is missing, and the order counts as if it worked.
    """

    DENIED, SENT, RESTING, PARTLY_FILLED, FILLED = 0, 1, 2, 3, 4
    CANCELED, EXPIRED, REJECTED, UNKNOWN = 5, 6, 7, 8

    FINAL = frozenset({DENIED, FILLED, CANCELED, EXPIRED, REJECTED})
    """Nothing more can happen to an order in one of these."""


class GapCause:
    """What made a gap."""

    UNKNOWN, STREAM_BROKE, TOO_SLOW = 0, 1, 2


class Outcome:
    """What the YES of a market on a game pays for."""

    OTHER, HOME_WINS, AWAY_WINS, TIE = 0, 1, 2, 3


@dataclass(slots=True)
class Level:
    """A price with what is offered there."""

    price: Price
    quantity: Quantity


@dataclass(slots=True)
class Quote:
    """The best levels of a book changed. A side without orders is None."""

    market: MarketId
    bid: Level | None
    ask: Level | None
    ts: Timestamp


@dataclass(slots=True)
class Trade:
    """Somebody traded. `taker` is the side of the order that took liquidity."""

    market: MarketId
    price: Price
    quantity: Quantity
    taker: Side
    ts: Timestamp


@dataclass(slots=True)
class MarketChange:
    """The status of a market changed, or the market is new to this agent."""

    market: MarketId
    status: int
    settlement: Price | None
    ts: Timestamp


@dataclass(slots=True)
class Game:
    """The state of a game changed, or the game is new to this agent."""

    game: GameId
    status: int
    period: int
    clock_ms: int
    home_score: int
    away_score: int
    ts: Timestamp


@dataclass(slots=True)
class OrderUpdate:
    """An order of this agent changed. `reason` is empty where there is none."""

    order: OrderId
    market: MarketId
    state: int
    filled: Quantity
    remaining: Quantity
    reason: str
    ts: Timestamp

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self.state in OrderState.FINAL


@dataclass(slots=True)
class Fill:
    """An order of this agent traded. `position` is what it has in the market after that."""

    order: OrderId
    market: MarketId
    side: Side
    price: Price
    quantity: Quantity
    fee: Dollars
    taker: bool
    position: Quantity
    ts: Timestamp


@dataclass(slots=True)
class Timer:
    """A `wake_at` came due; `due` is the time that was asked for."""

    due: Timestamp


@dataclass(slots=True)
class Gap:
    """What the agent knows of a market (None: of everything) may be stale. Fresh state follows."""

    market: MarketId | None
    cause: int
    dropped: int


Event = Quote | Trade | MarketChange | Game | OrderUpdate | Fill | Timer | Gap


@dataclass(slots=True)
class Place:
    """An order intent: it becomes an order when the risk manager approves it."""

    order: OrderId
    market: MarketId
    side: Side
    price: Price
    quantity: Quantity
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED
    post_only: bool = False
    expires: Timestamp | None = None


@dataclass(slots=True)
class Cancel:
    """Cancel one of the agent's own orders."""

    order: OrderId


@dataclass(slots=True)
class CancelAll:
    """Cancel all of the agent's orders in a market; None: everywhere."""

    market: MarketId | None


@dataclass(slots=True)
class WakeAt:
    """Send a timer event at this time."""

    at: Timestamp


Action = Place | Cancel | CancelAll | WakeAt


@dataclass(slots=True)
class PriceRange:
    """Prices from `start` to `end` are multiples of `step` away from `start`."""

    start: Price
    end: Price
    step: Price

    def below(self, price: Price) -> Price | None:
        """The highest price of this part under `price`."""
        steps = (min(price - 1, self.end) - self.start) // self.step
        found = Price(self.start + steps * self.step)
        return found if steps >= 0 and 0 < found < 10_000 else None

    def above(self, price: Price) -> Price | None:
        """The lowest price of this part over `price`."""
        steps = max(0, (price - self.start) // self.step + 1)
        found = Price(self.start + steps * self.step)
        return found if found <= self.end and 0 < found < 10_000 else None


@dataclass(slots=True)
class Market:
    """What is known of a market."""

    market: MarketId
    ticker: str
    event_ticker: str
    series_ticker: str
    title: str
    yes_title: str
    status: int
    price_ranges: list[PriceRange]
    close_time: Timestamp | None

    def below(self, price: Price) -> Price | None:
        """The highest price under this one that an order may have; None: there is none."""
        found = [it for part in self.price_ranges if (it := part.below(price)) is not None]
        return max(found, default=None)

    def above(self, price: Price) -> Price | None:
        """The lowest price over this one that an order may have; None: there is none."""
        found = [it for part in self.price_ranges if (it := part.above(price)) is not None]
        return min(found, default=None)


@dataclass(slots=True)
class OrderBook:
    """The levels of a book, best first. Do not trade on one that is not synced."""

    bids: list[Level]
    asks: list[Level]
    synced: bool


@dataclass(slots=True)
class Statistics:
    """The numbers of a market's trading, as the exchange told them last."""

    last_price: Price | None
    volume: Quantity
    open_interest: Quantity
    ts: Timestamp


@dataclass(slots=True)
class Team:
    """A team of a game."""

    name: str
    abbreviation: str


@dataclass(slots=True)
class GameMarket:
    """A market on a game, with what its YES pays for."""

    market: MarketId
    outcome: int


@dataclass(slots=True)
class GameInfo:
    """What is known of a game."""

    game: GameId
    league: str
    home: Team
    away: Team
    start: Timestamp
    periods: int
    period_ms: int
    markets: list[GameMarket]


@dataclass(slots=True)
class Situation:
    """What goes on in a game; what is not said is None. `possession`: 1 home, 2 away, 0 unknown."""

    possession: int = 0
    down: int | None = None
    distance: int | None = None
    yard_line: int | None = None
    red_zone: bool | None = None
    home_timeouts: int | None = None
    away_timeouts: int | None = None
    balls: int | None = None
    strikes: int | None = None
    outs: int | None = None
    on_first: bool | None = None
    on_second: bool | None = None
    on_third: bool | None = None
    top_of_inning: bool | None = None


@dataclass(slots=True)
class Position:
    """The agent's position in a market: long YES if more than 0."""

    market: MarketId
    quantity: Quantity = Quantity(0)
    average_price: Price = Price(0)
    realized: Dollars = Dollars(0)
    fees: Dollars = Dollars(0)


@dataclass(slots=True)
class OpenOrder:
    """An order of the agent that may still trade, or whose fills are not all known yet."""

    order: OrderId
    market: MarketId
    side: Side
    price: Price
    remaining: Quantity
    state: int


@dataclass(slots=True)
class Parameter:
    """A parameter as the host knows it. Without a default the operator must set it."""

    name: str
    default: str | None
    description: str


@dataclass(slots=True)
class Subscription:
    """What an agent hears about: a `market`, `event`, `series` or `league`, by its ticker."""

    kind: str
    ticker: str


@dataclass(slots=True)
class Manifest:
    """Who an agent is."""

    name: str
    version: str
    subscriptions: list[Subscription] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
