"""How readers of files name their settings in errors: as ``params.yaml`` or a command writes them.

The same readers serve training and prediction. What a data set of ``params.yaml`` sets by
``text_column:`` is the option ``--text-column`` of a command, so an error holds the setting
itself, and whoever shows it chooses how it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from nlp_rnn.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """A setting of a reader, with or without a value.

    Attributes:
        name: the key below the data set in ``params.yaml``.
        value: None names the setting alone.
    """

    name: str
    value: str | int | bool | None = None

    def as_parameter(self) -> str:
        """As ``params.yaml`` writes it.

        >>> Setting("delimiter", ";").as_parameter()
        'delimiter: ";"'
        """
        name = "tokenizer.bad_bytes" if self.name == "bad_bytes" else self.name
        if self.value is None:
            return name
        plain = isinstance(self.value, str) and self.value.isidentifier()
        return f"{name}: {self.value if plain else json.dumps(self.value)}"

    def as_option(self) -> str:
        """As a command line writes it.

        >>> Setting("text_column").as_option(), Setting("delimiter", ";").as_option()
        ('--text-column', "--delimiter ';'")
        """
        name = self.name.replace("_", "-")
        if isinstance(self.value, bool):
            return f"--{name}" if self.value else f"--no-{name}"
        if self.value is None:
            return f"--{name}"
        value = str(self.value).replace("\t", "tab")
        return f"--{name} {value}" if value.isalnum() else f"--{name} '{value}'"


class SettingError(UserError):
    """A fault of a file that another setting of its reader may remedy.

    Args:
        parts: of the message; the settings among them are written as in ``params.yaml``.
    """

    def __init__(self, *parts: str | Setting) -> None:
        self.parts = parts
        super().__init__(
            "".join(part if isinstance(part, str) else part.as_parameter() for part in parts)
        )

    def with_options(self) -> UserError:
        """The same error for a command, whose settings are options."""
        return UserError(
            "".join(part if isinstance(part, str) else part.as_option() for part in self.parts)
        )


@contextmanager
def options_named() -> Iterator[None]:
    """Let errors of the readers within the block name options of the command line."""
    try:
        yield
    except SettingError as error:
        raise error.with_options() from None


def naming_options(values: Iterable[T]) -> Iterator[T]:
    """``values``, whose errors name options of the command line."""
    with options_named():
        yield from values
