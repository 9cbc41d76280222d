"""Money and time: integers with a unit, so that nothing is ever rounded.

A type checker keeps the units apart; at run time they are plain integers.
"""

from decimal import Decimal, InvalidOperation
from typing import NewType

Price = NewType("Price", int)
"""A price of the YES leg in 1e-4 dollars, from 0 to 10000: 5500 is $0.55."""

Quantity = NewType("Quantity", int)
"""A number of contracts in 1e-2 contracts: 100 is one. Negative: short YES."""

Dollars = NewType("Dollars", int)
"""An amount of money in 1e-6 dollars: a price times a quantity."""

Timestamp = NewType("Timestamp", int)
"""Nanoseconds since the Unix epoch."""

MarketId = NewType("MarketId", int)
"""A handle for a market, valid for one run of the host: keep tickers in the state, not these."""

GameId = NewType("GameId", int)
"""A handle for a game, valid for one run of the host."""

OrderId = NewType("OrderId", int)
"""The agent's own number for an order, never used twice by it."""


def cents(count: int) -> Price:
    """A price in whole cents.

    >>> cents(45)
    4500
    """
    return Price(count * 100)


def price(text: str) -> Price:
    """A price from dollars as text, exactly.

    >>> price("0.455")
    4550
    >>> price("1.5")
    Traceback (most recent call last):
    ValueError: a price is from 0 to 1 dollar
    """
    value = _scaled(text, 4)
    if not 0 <= value <= 10_000:
        raise ValueError("a price is from 0 to 1 dollar")
    return Price(value)


def contracts(count: int) -> Quantity:
    """A number of whole contracts.

    >>> contracts(3)
    300
    """
    return Quantity(count * 100)


def quantity(text: str) -> Quantity:
    """A number of contracts from text, exactly.

    >>> quantity("2.5")
    250
    """
    return Quantity(_scaled(text, 2))


def seconds(count: int) -> int:
    """A span of time, to be added to a timestamp.

    >>> seconds(2)
    2000000000
    """
    return count * 1_000_000_000


def show_price(value: int) -> str:
    """A price as dollars.

    >>> show_price(cents(7))
    '0.0700'
    """
    return f"{value // 10_000}.{value % 10_000:04}"


def show_quantity(value: int) -> str:
    """A quantity as contracts.

    >>> show_quantity(Quantity(-250))
    '-2.50'
    """
    sign = "-" if value < 0 else ""
    return f"{sign}{abs(value) // 100}.{abs(value) % 100:02}"


def _scaled(text: str, digits: int) -> int:
    try:
        value = Decimal(text.strip()).scaleb(digits)
        whole = int(value)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError("not a number") from None
    if whole != value:
        raise ValueError(f"more than {digits} decimals")
    return whole
