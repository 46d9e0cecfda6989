"""Tables of Markdown, and texts that stay texts in it."""

from __future__ import annotations

import re
from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already, its columns aligned."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    lines: list[Sequence[str]] = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(n) for cell, n in zip(line, widths, strict=True))} |"
        for line in lines
    )


def plain(text: str) -> str:
    """A text that Markdown shows as it is, with nothing in it that is markup or HTML.

    >>> print(plain("# a_b <i>"))
    \\# a\\_b &lt;i>
    """
    return (
        re.sub(r"([\\`*_{}\[\]()#+.!|~-])", r"\\\1", text)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
    )


def code(text: str) -> str:
    """A text as a piece of code, whatever backticks are in it; for cells of tables too.

    >>> print(code("a`b"))
    `` a`b ``
    """
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{text.replace('|', chr(92) + '|')}{space}{fence}"
