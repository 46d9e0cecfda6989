"""Elements of HTML and SVG, into which text can only come escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from nlp_rnn.web import visible

WITHOUT_CONTENT = {"circle", "line", "meta", "path", "polyline", "rect"}


class Markup(str):
    """HTML that is put in as it is; any other text is escaped."""

    __slots__ = ()


def escaped(content: str) -> Markup:
    """Content as it stands in an element."""
    return content if isinstance(content, Markup) else Markup(escape(visible(content)))


def element(tag: str, *content: str, **attributes: Any) -> Markup:
    """An element of HTML or SVG.

    Args:
        tag: its name.
        content: text, which is escaped, and elements.
        attributes: by name, with ``_`` for ``-`` and behind words of Python (``class_``). True is
            an attribute without a value; None, False and "" are left out.
    """
    names = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
    given = "".join(
        f" {name}" if value is True else f' {name}="{escape(_value(value))}"'
        for name, value in names.items()
        if value is not None and value is not False and value != ""
    )
    if tag in WITHOUT_CONTENT and not content:
        return Markup(f"<{tag}{given}/>")
    return Markup(f"<{tag}{given}>{joined(content)}</{tag}>")


def _value(value: Any) -> str:
    """The value of an attribute; positions to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else visible(str(value))


def joined(parts: Iterable[str]) -> Markup:
    """Contents one after the other."""
    return Markup("".join(map(escaped, parts)))


def lines(text: str) -> Markup:
    """A text of several lines, as it is written."""
    return Markup("\n".join(map(escaped, text.split("\n"))))


def link(url: str, *content: str) -> Markup:
    """A link to another page, which learns nothing of this one; the content alone where the
    address is none of the web."""
    if not url.startswith(("https://", "http://")):
        return joined(content)
    return element("a", *content, href=url, rel="noopener noreferrer")


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 1, caption: str = ""
) -> Markup:
    """A table whose rows begin with their heading; a narrow screen scrolls it.

    Args:
        header: one cell a column.
        rows: of as many cells.
        numbers: the first column of numbers, which stand at the right as all behind it do.
        caption: above the table.
    """
    sides = ["number" if column >= numbers else None for column in range(len(header))]
    head = (
        element("th", cell, scope="col", class_=side)
        for cell, side in zip(header, sides, strict=True)
    )
    body = (
        element(
            "tr",
            element("th", first, scope="row"),
            *(element("td", cell, class_=side) for cell, side in zip(rest, sides[1:], strict=True)),
        )
        for first, *rest in rows
    )
    inside = element(
        "table",
        *([element("caption", caption)] if caption else []),
        element("thead", element("tr", *head)),
        element("tbody", *body),
    )
    return element("div", inside, class_="scroll")


def folded(title: str, *content: str, shown: bool = False) -> Markup:
    """Content that a click shows; nothing without any."""
    if not any(content):
        return Markup()
    return element("details", element("summary", title), *content, open=shown)
