"""What numbers options may be, whoever gives them: Python, a command or a request."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real

from nlp_rnn.errors import UserError


def check_whole(name: str, value: object, least: int = 1) -> None:
    """Raise UserError unless an option is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise UserError(f"{name}: expected a whole number of {least} or more, found {value!r}")


def check_number(name: str, value: object, fits: Callable[[float], bool], expected: str) -> None:
    """Raise UserError unless an option is a number that ``fits``; NaN never does.

    Args:
        expected: the numbers that fit, for the message.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not fits(float(value)):
        raise UserError(f"{name}: expected {expected}, found {value!r}")


def check_share(name: str, value: object) -> None:
    """Raise UserError unless an option is a share or a probability above 0."""
    check_number(name, value, lambda x: 0 < x <= 1, "a number above 0, at most 1")


def check_penalty(name: str, value: object) -> None:
    """Raise UserError unless an option is a penalty: a finite number of 0 or more."""
    check_number(name, value, lambda x: 0 <= x < float("inf"), "a number of 0 or more")
