"""The host's log. Beyond the agent's rate, lines are counted and dropped."""

from collections.abc import Callable

ERROR, WARN, INFO, DEBUG, TRACE = range(5)

_kept: list[tuple[int, str]] = []


def _keep(level: int, message: str) -> None:
    _kept.append((level, message))


def text_of(message: object) -> str:
    """A text as the host takes it, whatever it was."""
    return str(message).encode("utf-8", "replace").decode()


_write: Callable[[int, str], None] = _keep
"""Where lines go: to the host in a component, else to a list that the harness shows."""


def error(message: str) -> None:
    """Something is wrong, and somebody must act."""
    _write(ERROR, text_of(message))


def warn(message: str) -> None:
    """Something is wrong, and the agent goes on."""
    _write(WARN, text_of(message))


def info(message: str) -> None:
    """Something that its operator wants to know."""
    _write(INFO, text_of(message))


def debug(message: str) -> None:
    """Something that its author wants to know."""
    _write(DEBUG, text_of(message))
