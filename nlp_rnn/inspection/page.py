"""Panels as one HTML file: no scripts, nothing from elsewhere, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from nlp_rnn.files import whole_file
from nlp_rnn.inspection.panel import NEGATIVE, POSITIVE, STRONGEST, Panel, Piece

LEVELS = 10
"""Shades of each colour."""

STYLE = """
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; line-height: 1.5; margin: 2rem auto; max-width: 60rem;
       padding: 0 1rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 0; }
p { margin: .3rem 0; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #8888; padding: .15rem .8rem .15rem 0; text-align: left; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
.text { border: 1px solid #8888; font-family: ui-monospace, monospace; margin: .5rem 0;
        max-height: 32rem; overflow: auto; overflow-wrap: anywhere; padding: .5rem;
        white-space: pre-wrap; }
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
    # A line end would not be seen.
    text = escape(piece.text).replace("\n", '<span class="end">↵</span>\n')
    classes = [
        "" if piece.value is None else _class(piece.value, scale),
        "on" if piece.on else "",
        "target" if piece.target else "",
    ]
    names = " ".join(filter(None, classes))
    if not (names or piece.title):
        return text
    shown = f' class="{names}"' if names else ""
    title = f' title="{escape(piece.title)}"' if piece.title else ""
    return f"<span{shown}{title}>{text}</span>"


def _legend(panel: Panel) -> str:
    scale = panel.scale
    steps = [scale * level / LEVELS for level in range(-LEVELS, LEVELS + 1)]
    colours = "".join(f'<span class="{_class(step, scale)}">&nbsp;</span>' for step in steps)
    underlined = any(piece.on for piece in panel.pieces)
    mark = '; <span class="on">underlined</span>: the feature is on' if underlined else ""
    return f'<p class="legend">{-scale:.3g} {colours} {scale:+.3g}{mark}</p>'


def _section(panel: Panel) -> Iterator[str]:
    yield f'<section id="{escape(panel.name)}">'
    yield f"<h2>{escape(panel.title)}</h2>"
    yield f"<p>{escape(panel.note)}</p>"
    yield _legend(panel)
    scale = panel.scale
    text = "".join(_span(piece, scale) for piece in panel.pieces)
    yield f'<div class="text">{text}</div>'
    yield "</section>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in HTML; a cell that begins with ``#`` is a link to that panel."""

    def cell(value: str) -> str:
        if value.startswith("#"):
            return f'<td><a href="{escape(value)}">{escape(value[1:])}</a></td>'
        number = value[:1] in "+-.0123456789" and bool(value)
        return f'<td class="number">{escape(value)}</td>' if number else f"<td>{escape(value)}</td>"

    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def page(title: str, introduction: Sequence[str], summary: str, panels: Sequence[Panel]) -> str:
    """A whole HTML document.

    Args:
        title: of the page, plain text, as all that follows.
        introduction: paragraphs.
        summary: HTML, as :func:`table` gives it, or nothing.
        panels: one section each.
    """
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}{chr(10).join(_colours())}\n</style>",
            "</head>",
            "<body>",
            f"<h1>{escape(title)}</h1>",
            *(f"<p>{escape(paragraph)}</p>" for paragraph in introduction),
            summary,
            *(line for panel in panels for line in _section(panel)),
            "</body>",
            "</html>",
            "",
        ]
    )


def write_page(file: Path, document: str) -> None:
    """Write an HTML document, whole or not at all."""
    with whole_file(file) as partial:
        partial.write_text(document, encoding="utf-8")
