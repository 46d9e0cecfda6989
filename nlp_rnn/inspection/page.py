"""Panels as a single HTML file: no scripts, no external resources, light and dark mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from nlp_rnn.files import whole_file
from nlp_rnn.inspection.panel import NEGATIVE, POSITIVE, STRONGEST, Panel, Piece
from nlp_rnn.web import policy, revealed, visible

LEVELS = 10
"""The number of shades of each colour."""


class Link(NamedTuple):
    """A table cell that links to a panel."""

    text: str
    panel: str


STYLE = """
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; line-height: 1.5; margin: 2rem auto; max-width: 60rem;
       padding: 0 1rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 0; }
p { margin: .3rem 0; }
table { border-collapse: collapse; display: block; margin: 1rem 0; overflow-x: auto; }
th, td { border-bottom: 1px solid #8888; padding: .15rem 1rem .15rem 0; text-align: left;
         white-space: nowrap; }
.number { font-variant-numeric: tabular-nums; text-align: right; }
ul { list-style: none; padding: 0; }
.text { border: 1px solid #8888; font-family: ui-monospace, monospace; margin: .5rem 0;
        max-height: 32rem; overflow: auto; overflow-wrap: anywhere; padding: .5rem;
        print-color-adjust: exact; unicode-bidi: plaintext; white-space: pre-wrap; }
.legend { font-family: ui-monospace, monospace; font-size: .85rem; }
.end { opacity: .4; }
.on { text-decoration: underline; text-underline-offset: .2em; }
.target { outline: 2px solid; }
"""


def _class(value: float, scale: float) -> str:
    level = min(LEVELS, round(LEVELS * abs(value) / scale))
    return f"{'p' if value > 0 else 'n'}{level}" if level else ""


def _colours() -> Iterator[str]:
    for sign, (red, green, blue) in (("p", POSITIVE), ("n", NEGATIVE)):
        for level in range(1, LEVELS + 1):
            opacity = STRONGEST * level / LEVELS
            yield f".{sign}{level} {{ background: rgb({red} {green} {blue} / {opacity:.3f}); }}"


def _span(piece: Piece, scale: float) -> str:
    # A bare line end would be invisible.
    text = escape(revealed(piece.text)).replace("\n", '<span class="end">↵</span>\n')
    classes = [
        "" if piece.value is None else _class(piece.value, scale),
        "on" if piece.on else "",
        "target" if piece.target else "",
    ]
    names = " ".join(filter(None, classes))
    if not (names or piece.title):
        return text
    shown = f' class="{names}"' if names else ""
    title = f' title="{escape(revealed(piece.title))}"' if piece.title else ""
    return f"<span{shown}{title}>{text}</span>"


def _legend(panel: Panel) -> str:
    scale, lowest = panel.scale, panel.lowest
    steps = [scale * level / LEVELS for level in range(-LEVELS if lowest else 0, LEVELS + 1)]
    colours = "".join(f'<span class="{_class(step, scale)}">&nbsp;</span>' for step in steps)
    underlined = any(piece.on for piece in panel.pieces)
    mark = '; <span class="on">underlined</span>: the feature is on' if underlined else ""
    return f'<p class="legend">{lowest:.3g} {colours} {scale:+.3g}{mark}</p>'


def _section(panel: Panel) -> Iterator[str]:
    yield f'<section id="{escape(panel.name)}">'
    yield f"<h2>{escape(visible(panel.title))}</h2>"
    yield f"<p>{escape(visible(panel.note))}</p>"
    yield _legend(panel)
    scale = panel.scale
    text = "".join(_span(piece, scale) for piece in panel.pieces)
    yield f'<div class="text">{text}</div>'
    yield "</section>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Link]]) -> str:
    """An HTML table."""

    def numeric(value: str | Link) -> bool:
        return isinstance(value, str) and value[:1] in tuple("+-.0123456789")

    def classed(value: str | Link) -> str:
        return ' class="number"' if numeric(value) else ""

    def cell(value: str | Link) -> str:
        text = _link(value) if isinstance(value, Link) else escape(visible(value))
        return f"<td{classed(value)}>{text}</td>"

    # A column is numeric if its first non-empty cell is a number.
    head = "".join(
        f"<th{classed(next((row[i] for row in rows if row[i]), ''))}>{escape(visible(column))}</th>"
        for i, column in enumerate(columns)
    )
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _link(link: Link) -> str:
    return f'<a href="#{escape(link.panel)}">{escape(visible(link.text))}</a>'


def _contents(panels: Sequence[Panel], summary: str) -> Iterator[str]:
    """Links to the panels to which the summary does not link."""
    links = [_link(Link(panel.title, panel.name)) for panel in panels]
    others = [link for link in links if link.partition(">")[0] not in summary]
    if others:
        yield "<ul>"
        yield from (f"<li>{link}</li>" for link in others)
        yield "</ul>"


def page(title: str, introduction: Sequence[str], summary: str, panels: Sequence[Panel]) -> str:
    """A complete HTML document.

    Args:
        title: the title of the page, plain text.
        introduction: paragraphs of plain text.
        summary: HTML, as returned by :func:`table`, or an empty string.
        panels: the panels, one section each.
    """
    style = f"{STYLE}{chr(10).join(_colours())}\n"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(style)}">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(visible(title))}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            f"<h1>{escape(visible(title))}</h1>",
            *(f"<p>{escape(visible(paragraph))}</p>" for paragraph in introduction),
            summary,
            *_contents(panels, summary),
            *(line for panel in panels for line in _section(panel)),
            "</body>",
            "</html>",
            "",
        ]
    )


def write_page(file: Path, document: str) -> None:
    """Write an HTML document completely or not at all."""
    with whole_file(file) as partial:
        partial.write_text(document, encoding="utf-8")
