"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already, its columns aligned."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    lines: list[Sequence[str]] = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(n) for cell, n in zip(line, widths, strict=True))} |"
        for line in lines
    )
