"""`Agent`: what an author writes, and the life of one between start and save."""

import json
from collections.abc import Callable
from typing import Any

from .context import Context, Host
from .model import (
    Action,
    Event,
    Fill,
    Game,
    Gap,
    Manifest,
    MarketChange,
    OrderUpdate,
    Parameter,
    Quote,
    Subscription,
    Timer,
    Trade,
)
from .units import Timestamp


def market(ticker: str) -> Subscription:
    """One market, by ticker."""
    return Subscription("market", ticker)


def event(ticker: str) -> Subscription:
    """Every market of an event."""
    return Subscription("event", ticker)


def series(ticker: str) -> Subscription:
    """Every open market of a series."""
    return Subscription("series", ticker)


def league(name: str) -> Subscription:
    """Every game of a league as ESPN names it, such as `nfl`, and the markets on them."""
    return Subscription("league", name)


class Param:
    """Declares a parameter: `limit = Param(price, "0.45", "The most to pay, in dollars.")`.

    `read` makes the value from its text and raises ValueError with the reason if it cannot. With
    `default` None, the operator must set it. While the agent runs, the attribute is the value.
    """

    def __init__(self, read: Callable[[str], Any], default: str | None, description: str) -> None:
        self.read = read
        self.default = default
        self.description = description


class Agent:
    """A trading agent: derive from it, in `agent.py`, and write the handlers that you need.

    What is in `self.state`, a dict of JSON values, survives a swap and a restart. An exception
    that leaves a handler is a fault: nothing of the batch is done, and the host starts the agent
    again with its last saved state.
    """

    name = "agent"
    version = "0.1.0"
    subscriptions: list[Subscription] = []
    """What the agent hears about, where the operator's settings name nothing."""
    requires: list[str] = []
    """What it cannot trade without: `game-feed`."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def configure(self) -> str | None:
        """Called at every start, with all parameters set. A text is why the agent cannot start."""
        return None

    def on_start(self, ctx: Context, restored: bool) -> None:
        """At the head of the first batch. Timers of an earlier run are gone, orders may work."""

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        """The best levels of a book changed."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        """Somebody traded."""

    def on_market(self, ctx: Context, change: MarketChange) -> None:
        """The status of a market changed, or the market is new."""

    def on_game(self, ctx: Context, game: Game) -> None:
        """The state of a game changed, or the game is new."""

    def on_order(self, ctx: Context, update: OrderUpdate) -> None:
        """An order of this agent changed."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """An order of this agent traded."""

    def on_timer(self, ctx: Context, due: Timestamp) -> None:
        """A `wake_at` came due."""

    def on_gap(self, ctx: Context, gap: Gap) -> None:
        """What the agent knows may be stale."""

    def after_events(self, ctx: Context) -> None:
        """All events of a batch were handled: the place to decide once on what they brought."""

    @classmethod
    def parameters(cls) -> dict[str, Param]:
        """The declared parameters, by name."""
        found = {}
        for base in reversed(cls.__mro__):
            found.update({name: it for name, it in vars(base).items() if isinstance(it, Param)})
        return found

    @classmethod
    def manifest(cls) -> Manifest:
        """Who the agent is."""
        for it in cls.subscriptions:
            if not isinstance(it, Subscription):
                raise TypeError(f"subscriptions: {it!r} is none: write series({it!r}) or the like")
        for name in ("name", "version"):
            if not isinstance(getattr(cls, name), str):
                raise TypeError(f"{name} must be text")
        declared = [
            Parameter(name, it.default, it.description) for name, it in cls.parameters().items()
        ]
        return Manifest(
            cls.name, cls.version, list(cls.subscriptions), declared, list(cls.requires)
        )


class CannotStart(Exception):
    """Why an agent does not start, for its operator."""


class Runner:
    """A started agent. The component and the test harness drive the same one."""

    def __init__(
        self,
        kind: type[Agent],
        host: Host,
        parameters: list[tuple[str, str]],
        restored: bytes | None,
    ) -> None:
        kind.manifest()
        self.agent = kind()
        last_order = 0
        if restored is not None:
            try:
                saved = json.loads(restored)
                last_order, self.agent.state = int(saved["last_order"]), dict(saved["state"])
            except (ValueError, KeyError, TypeError) as error:
                raise CannotStart(f"the state to restore cannot be read: {error}") from None
        self._set(kind, parameters)
        problem = self.agent.configure()
        if problem:
            raise CannotStart(problem)
        self.context = Context(host, last_order)
        self._starting: bool | None = restored is not None

    def _set(self, kind: type[Agent], given: list[tuple[str, str]]) -> None:
        declared, problems = kind.parameters(), []
        values = {name: it.default for name, it in declared.items()} | dict(given)
        for name, text in values.items():
            if name not in declared:
                known = ", ".join(declared) or "none"
                problems.append(f"parameter `{name}` is unknown (known: {known})")
            elif text is None:
                problems.append(f"parameter `{name}` has no value, and needs one")
            else:
                try:
                    setattr(self.agent, name, declared[name].read(text))
                except ValueError as error:
                    problems.append(f"parameter `{name}` = `{text}`: {error}")
        if problems:
            raise CannotStart("; ".join(problems))

    def on_events(self, now: Timestamp, events: list[Event]) -> list[Action]:
        """Hands the agent a batch, and takes what it wants."""
        agent, context = self.agent, self.context
        context.now = now
        if self._starting is not None:
            restored, self._starting = self._starting, None
            agent.on_start(context, restored)
        for it in events:
            match it:
                case Quote():
                    agent.on_quote(context, it)
                case Trade():
                    agent.on_trade(context, it)
                case MarketChange():
                    agent.on_market(context, it)
                case Game():
                    agent.on_game(context, it)
                case OrderUpdate():
                    agent.on_order(context, it)
                case Fill():
                    agent.on_fill(context, it)
                case Timer():
                    agent.on_timer(context, it.due)
                case Gap():
                    agent.on_gap(context, it)
        agent.after_events(context)
        actions, context._actions = context._actions, []
        return actions

    def save(self) -> bytes:
        """The state, for the next instance."""
        saved = {"last_order": self.context._last_order, "state": self.agent.state}
        return json.dumps(saved, separators=(",", ":")).encode()
