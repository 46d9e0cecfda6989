"""Panels as a page and as a picture: nothing lost, nothing executed, nothing fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nlp_rnn.drawing import save
from nlp_rnn.inspection.page import LEVELS, Link, page, table, write_page
from nlp_rnn.inspection.panel import Panel, Piece, pieces
from nlp_rnn.inspection.picture import lines_of, picture

TEXT = "<script>alert('&')</script> a\n$b$ \"c\"\n"


def panel(text: str = TEXT) -> Panel:
    spans = [(m[0], m.start(), m.end()) for m in re.finditer(r"\S+|\n", text)]
    values = np.linspace(-2, 1, len(spans))
    on = np.arange(len(spans)) == 1
    return Panel("<b>title</b>", "note & more", pieces(text, spans, values, on), "quotes-0-h-1")


class Reader(HTMLParser):
    """The elements of a page, and the text of the block that shows the text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "div" in self.open:
            self.shown += data


def read(panels: list[Panel], summary: str = "") -> Reader:
    return Reader(page("a < b", ["one & two"], summary, panels))


def test_the_page_shows_the_whole_text_and_nothing_of_it_is_markup() -> None:
    reader = read([panel()], table(["<i>"], [[Link("<a>", "quotes-0-h-1")], ["<u>"]]))
    assert not reader.open
    assert reader.shown.replace("↵", "") == TEXT
    assert {tag for tag, _ in reader.elements}.isdisjoint({"script", "b", "i", "u"})


def test_the_page_fetches_and_runs_nothing() -> None:
    for tag, attributes in read([panel()], table(["x"], [[Link("a", "quotes-0-h-1")]])).elements:
        assert tag not in ("script", "link", "img", "iframe", "object")
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")


def test_tokens_have_their_values_as_titles_and_shades() -> None:
    spans = [a for tag, a in read([panel()]).elements if tag == "span" and "title" in a]
    assert spans[0]["class"] == f"n{LEVELS}"
    assert spans[0]["title"] == "1 ‘<script>alert('&')</script>’ -2"
    assert spans[-1]["class"] == f"p{LEVELS // 2}"
    assert spans[1]["class"].endswith(" on")


def test_colours_are_in_the_style_and_differ_by_sign() -> None:
    document = page("t", [], "", [panel()])
    styles = re.findall(r"\.([pn]\d+) \{ background: rgb\((.*?) / (.*?)\)", document)
    assert len(styles) == 2 * LEVELS
    used = re.findall(r'class="([pn]\d+)', document)
    assert set(used) <= {name for name, _, _ in styles}
    assert len({colour for _, colour, _ in styles}) == 2
    assert "color-scheme: light dark" in document


def test_every_panel_is_led_to_once() -> None:
    other = Panel("b", "note", [], "brackets-0-h-2")
    elements = read([panel(), other], table(["cell"], [[Link("a", "quotes-0-h-1")]])).elements
    links = [attributes["href"] for tag, attributes in elements if tag == "a"]
    assert links == ["#quotes-0-h-1", "#brackets-0-h-2"]
    names = [attributes["id"] for tag, attributes in elements if tag == "section"]
    assert names == ["quotes-0-h-1", "brackets-0-h-2"]


def test_numbers_of_a_table_stand_below_their_heading() -> None:
    rows = [[Link("1", "b"), "x", "", "-0.5"], [Link("1", "c"), "y", "+0.1", ""]]
    elements = read([], table(["cell", "feature", "r", "AUC"], rows)).elements
    heads = [attributes.get("class") for tag, attributes in elements if tag == "th"]
    assert heads == [None, None, "number", "number"]


def test_the_legend_ends_at_zero_where_no_value_is_below() -> None:
    above = Panel("t", "n", [Piece("a", 1.0), Piece("b", 4.0)], "x")
    assert ">0 <span" in page("t", [], "", [above])
    assert ">-2 <span" in page("t", [], "", [panel()])
    bars = picture([above, panel()]).axes[1::2]
    assert [bar.get_ylim() for bar in bars] == [(0.0, 4.0), (-2.0, 2.0)]


def test_a_panel_without_values_has_a_page() -> None:
    empty = Panel("t", "n", [Piece("a", target=True), Piece("b", 0.0, "1")], "x")
    assert read([empty]).shown == "ab"


def test_two_tokens_of_one_character_show_it_once() -> None:
    found = pieces("aﬁb", [("f", 1, 2), ("i", 1, 2), ("b", 2, 3)], [1.0, 2.0, 3.0])
    assert [piece.text for piece in found] == ["ﬁ", "", "b"]


def test_a_picture_breaks_lines_where_the_text_and_the_margin_do() -> None:
    lines = lines_of(panel("abcdef g\nhi\t\n"), columns=4)
    assert ["".join(shown for shown, _ in line) for line in lines] == ["abcd", "ef g", "↵", "hi ↵"]
    assert lines[1][2][1].value is None
    assert [piece.value for _, piece in lines[0]] == [-2.0] * 4


def test_a_picture_outlines_the_target_and_underlines_what_is_on() -> None:
    shown = [Piece("ab", 1.0, on=True), Piece(" "), Piece("cde", target=True)]
    axes = picture([Panel("t", "n", shown, "x")]).axes[0]
    (target,) = axes.patches
    assert (target.get_x(), target.get_width()) == (2.5, 3)
    lines = [segment for line in axes.collections for segment in line.get_segments()]
    assert [line[:, 0].tolist() for line in lines] == [[-0.5, 0.5], [0.5, 1.5]]


@pytest.mark.slow
@pytest.mark.parametrize("text", [TEXT, "", "x" * 5000, "$\\frac{$ 漢字 \n\n"])
def test_any_text_can_be_drawn(text: str, tmp_path: Path) -> None:
    save(picture([panel(text), panel("a")]), tmp_path / "cells.png")
    assert (tmp_path / "cells.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_is_utf8(tmp_path: Path) -> None:
    write_page(tmp_path / "a" / "cells.html", page("é", [], "", []))
    assert "é" in (tmp_path / "a" / "cells.html").read_text(encoding="utf-8")
