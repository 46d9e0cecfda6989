"""How file readers name their settings in errors: in the form of ``params.yaml`` or of a command.

The same readers serve training and prediction. The key ``text_column:`` of a data set in
``params.yaml`` is the option ``--text-column`` of a command, so an error holds the setting itself,
and the code that shows it chooses the form.
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
    """A reader's setting, with or without a value.

    Attributes:
        name: the key below the data set in ``params.yaml``.
        value: None names the setting alone.
    """

    name: str
    value: str | int | bool | None = None

    def as_parameter(self) -> str:
        """The form of ``params.yaml``.

        >>> Setting("delimiter", ";").as_parameter()
        'delimiter: ";"'
        """
        name = "tokenizer.bad_bytes" if self.name == "bad_bytes" else self.name
        if self.value is None:
            return name
        plain = isinstance(self.value, str) and self.value.isidentifier()
        return f"{name}: {self.value if plain else json.dumps(self.value)}"

    def as_option(self) -> str:
        """The form of a command line.

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
    """A fault of a file that a different setting of its reader may fix.

    Args:
        parts: the parts of the message; settings are written as in ``params.yaml``.
    """

    def __init__(self, *parts: str | Setting) -> None:
        self.parts = parts
        super().__init__(
            "".join(part if isinstance(part, str) else part.as_parameter() for part in parts)
        )

    def with_options(self) -> UserError:
        """The same error for a command, where settings are options."""
        return UserError(
            "".join(part if isinstance(part, str) else part.as_option() for part in self.parts)
        )


@contextmanager
def options_named() -> Iterator[None]:
    """Make readers' errors within the block name command-line options."""
    try:
        yield
    except SettingError as error:
        raise error.with_options() from None


def naming_options(values: Iterable[T]) -> Iterator[T]:
    """Yield ``values``, with errors that name command-line options."""
    with options_named():
        yield from values
