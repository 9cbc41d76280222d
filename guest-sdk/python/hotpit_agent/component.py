"""The component: the contract's exports, made of the agent in the module `agent`.

Imported by componentize-py alone: `wit_world` is what it makes of `wit/agent.wit`.
"""

import inspect
import traceback
from collections.abc import Callable
from typing import NoReturn

import agent as author
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import guest
from wit_world.imports import games, markets, portfolio, types
from wit_world.imports import log as host_log

from . import log, model
from .agent import Agent, CannotStart, Runner

_LEVELS = list(host_log.Level)
_SIDES = {types.Side.BID: model.Side.BID, types.Side.ASK: model.Side.ASK}
_SIDES_OUT = {ours: theirs for theirs, ours in _SIDES.items()}
_TIMES_IN_FORCE = {ours: types.TimeInForce[ours.name] for ours in model.TimeInForce}
_SUBSCRIPTIONS = {
    "market": guest.Subscription_Market,
    "event": guest.Subscription_Event,
    "series": guest.Subscription_Series,
    "league": guest.Subscription_League,
}


def _only_agent() -> type[Agent]:
    found = [
        it
        for it in vars(author).values()
        if inspect.isclass(it) and issubclass(it, Agent) and it.__module__ == author.__name__
    ]
    # A base of others is not the agent.
    found = [it for it in found if not any(it in other.__mro__[1:] for other in found)]
    if len(found) != 1:
        names = ", ".join(it.__name__ for it in found) or "none"
        raise TypeError(f"agent.py must have one class derived from Agent; it has: {names}")
    return found[0]


_AGENT = _only_agent()
_runner: Runner | None = None


def _write(level: int, message: str) -> None:
    host_log.write(_LEVELS[level], message)


log._write = _write


def _fault(error: BaseException) -> NoReturn:
    """Tells the host what happened and where in the author's code, and traps."""
    # The innermost frames: an endless recursion has a thousand, and the time is the batch's.
    frames = traceback.extract_tb(error.__traceback__, limit=-8)
    for line in traceback.format_list(frames):
        log.error(line.strip())
    try:
        said = log.text_of(error)[:1_000]
    except BaseException:
        said = "(it cannot be shown)"
    theirs = [it for it in frames if "hotpit_agent/" not in it.filename] or frames
    at = ""
    if theirs:
        file = theirs[-1].filename.rsplit("/", 1)[-1]
        at = f", at {file}:{theirs[-1].lineno} in {theirs[-1].name}"
    host_log.panicked(f"{type(error).__name__}: {said}{at}")
    # An end of the process would first run the interpreter's own farewell.
    raise RuntimeError(said) from None


class Guest(exports.Guest):
    """What the host calls."""

    def describe(self) -> guest.Manifest:
        try:
            manifest = _AGENT.manifest()
        except BaseException as error:
            _fault(error)
        return guest.Manifest(
            manifest.name,
            manifest.version,
            [_SUBSCRIPTIONS[it.kind](it.ticker) for it in manifest.subscriptions],
            [guest.Parameter(it.name, it.default, it.description) for it in manifest.parameters],
            manifest.requires,
        )

    def start(self, parameters: list[tuple[str, str]], restored: bytes | None) -> None:
        global _runner
        try:
            _runner = Runner(_AGENT, Imports(), parameters, restored)
        except CannotStart as problem:
            raise Err(str(problem)) from None
        except BaseException as error:
            _fault(error)

    def on_events(self, now: int, events: list[types.Event]) -> list[types.Action]:
        if _runner is None:
            return []
        try:
            heard = [_EVENTS[type(it)](it.value) for it in events]
            return [_action(it) for it in _runner.on_events(now, heard)]
        except BaseException as error:
            _fault(error)

    def save(self) -> bytes:
        if _runner is None:
            return b""
        try:
            return _runner.save()
        except BaseException as error:
            _fault(error)


class Imports:
    """What the agent looks up, asked of the host."""

    def markets(self):
        return markets.list()

    def market(self, market):
        known = markets.describe(market)
        if known is None:
            return None
        grid = [model.PriceRange(it.start, it.end, it.step) for it in known.price_ranges]
        return model.Market(
            known.market,
            known.ticker,
            known.event_ticker,
            known.series_ticker,
            known.title,
            known.yes_title,
            known.status,
            grid,
            known.close_time,
        )

    def book(self, market, depth):
        known = markets.book(market, depth)
        if known is None:
            return None
        bids, asks = ([_level(it) for it in side] for side in (known.bids, known.asks))
        return model.OrderBook(bids, asks, known.synced)

    def statistics(self, market):
        known = markets.statistics(market)
        return known and model.Statistics(
            known.last_price, known.volume, known.open_interest, known.ts
        )

    def games(self):
        return games.list()

    def game(self, game):
        known = games.describe(game)
        if known is None:
            return None
        home, away = (model.Team(it.name, it.abbreviation) for it in (known.home, known.away))
        on = [model.GameMarket(it.market, it.outcome) for it in known.markets]
        return model.GameInfo(
            known.game, known.league, home, away, known.start, known.periods, known.period_ms, on
        )

    def situation(self, game):
        known = games.situation(game)
        return known and model.Situation(**vars(known))

    def game_of(self, market):
        return games.of_market(market)

    def position(self, market):
        return model.Position(**vars(portfolio.position(market)))

    def open_orders(self):
        return [
            model.OpenOrder(it.order, it.market, _SIDES[it.side], it.price, it.remaining, it.state)
            for it in portfolio.open_orders()
        ]

    def budget(self):
        return portfolio.budget()


def _level(it: types.Level | None) -> model.Level | None:
    return it and model.Level(it.price, it.quantity)


def _fill(it: types.Fill) -> model.Fill:
    side = _SIDES[it.side]
    return model.Fill(
        it.order, it.market, side, it.price, it.quantity, it.fee, it.taker, it.position, it.ts
    )


def _order(it: types.OrderUpdate) -> model.OrderUpdate:
    return model.OrderUpdate(
        it.order, it.market, it.state, it.filled, it.remaining, it.reason, it.ts
    )


def _game(it: types.Game) -> model.Game:
    return model.Game(
        it.game, it.status, it.period, it.clock_ms, it.home_score, it.away_score, it.ts
    )


_EVENTS: dict[type, Callable[..., model.Event]] = {
    types.Event_Quote: lambda it: model.Quote(it.market, _level(it.bid), _level(it.ask), it.ts),
    types.Event_Trade: lambda it: model.Trade(
        it.market, it.price, it.quantity, _SIDES[it.taker], it.ts
    ),
    types.Event_Market: lambda it: model.MarketChange(it.market, it.status, it.settlement, it.ts),
    types.Event_Game: _game,
    types.Event_Order: _order,
    types.Event_Fill: _fill,
    types.Event_Timer: model.Timer,
    types.Event_Gap: lambda it: model.Gap(it.market, it.cause, it.dropped),
}


def _action(it: model.Action) -> types.Action:
    match it:
        case model.Place():
            order = types.NewOrder(
                it.order,
                it.market,
                _SIDES_OUT[it.side],
                it.price,
                it.quantity,
                _TIMES_IN_FORCE[it.time_in_force],
                it.post_only,
                it.expires,
            )
            return types.Action_Place(order)
        case model.Cancel():
            return types.Action_Cancel(it.order)
        case model.CancelAll():
            return types.Action_CancelAll(it.market)
        case model.WakeAt():
            return types.Action_WakeAt(it.at)
