"""Where the rows of a table have the label of a text, or any number of labels, and its group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

YES, NO = {1, "1", "1.0", "true"}, {0, "0", "0.0", "false"}
"""What the cell of a label's own column may hold; ``True`` and ``1.0`` equal 1."""


@dataclass(frozen=True)
class Labelling:
    """How a row gives its label or labels.

    Attributes:
        column: the column of the label. A list in it is any number of labels.
        separator: what separates the labels in a cell of ``column``; None for one label.
        columns: instead of ``column``, one column for each label, named like it, which holds 1 for
            the texts that have the label and 0 for the others.
        group: the column of what the text has in common with others, such as its author; None if
            that is not asked for.
    """

    column: str | int = "label"
    separator: str | None = None
    columns: Sequence[str] = ()
    group: str | int | None = None

    @property
    def settings(self) -> dict[str | int, str]:
        """The columns that are read, each with the setting that names it."""
        group: dict[str | int, str] = {} if self.group is None else {self.group: "split.groups"}
        if self.columns:
            return {**dict.fromkeys(self.columns, "label_columns"), **group}
        return {self.column: "label_column", **group}

    def example(self, text: str, cells: Sequence[object], where: str) -> Example:
        """The text with its label or labels, and its group.

        Args:
            cells: the values of the columns of :attr:`settings`, in their order.
            where: the file and the line or row.

        Raises:
            UserError: a cell holds no label, or that of the group is empty.
        """
        if self.group is None:
            return self._labelled(text, cells, where)
        *labels, group = cells
        if group is None or not str(group).strip():
            raise UserError(
                f"{where}: column '{self.group}' of split.groups: is empty; give the text a group "
                "or remove it"
            )
        return replace(self._labelled(text, labels, where), group=str(group))

    def _labelled(self, text: str, cells: Sequence[object], where: str) -> Example:
        """The text with its label or labels, from the ``cells`` that hold them."""
        if self.columns:
            return Example(text=text, labels=tuple(self._that_apply(cells, where)))
        (cell,) = cells
        if self.separator is not None and not isinstance(cell, list):
            blank = cell is None or (isinstance(cell, str) and not cell.strip())
            written = "" if blank else label_of(cell, where, self.column)
            parts = (part.strip() for part in written.split(self.separator))
            cell = [part for part in parts if part]
        if isinstance(cell, list):
            named = (label_of(item, where, self.column) for item in cell)
            return Example(text=text, labels=tuple(dict.fromkeys(named)))
        return Example(text=text, label=label_of(cell, where, self.column))

    def _that_apply(self, cells: Sequence[object], where: str) -> Iterator[str]:
        """The names of the columns whose cells say that their label applies."""
        for column, cell in zip(self.columns, cells, strict=True):
            value = cell.strip().lower() if isinstance(cell, str) else cell
            if not isinstance(value, str | int | float) or value not in YES | NO:
                raise UserError(
                    f"{where}: column '{column}' of label_columns: expected 1 or 0, found "
                    f"{cell!r}; write 1 if the text has the label, else 0"
                )
            if value in YES:
                yield column


def label_of(value: object, where: str, column: str | int) -> str:
    """A label as a string without blanks at its ends; whole numbers and booleans are written as
    JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.strip():
        if len(value.splitlines()) > 1:
            raise UserError(
                f"{where}: column '{column}': a label contains a line break: {value!r}; remove it"
            )
        return value.strip()
    remedy = "label the example or remove it"
    if value is None or value == "":
        found = "null" if value is None else "nothing"
    else:
        found = f"{type(value).__name__} {value!r}"
        if not isinstance(value, str) and not (isinstance(value, float) and math.isnan(value)):
            remedy = "write the labels as text"
    raise UserError(
        f"{where}: column '{column}': expected a label (text or a whole number), found {found}; "
        f"{remedy}"
    )
