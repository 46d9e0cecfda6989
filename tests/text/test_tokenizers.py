"""Tokenizers: the stated policy for Unicode, case, digits, HTML; offsets into the raw text."""

from __future__ import annotations

import html
import itertools
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.text.tokenizers import tokenizer


def tokens(text: str, **parameters: Any) -> list[str]:
    return tokenizer(TokenizerParameters(**parameters)).tokens(text)


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("It wasn't BAD!", {}, ["it", "wasn't", "bad", "!"]),
        ("ÄRGER İstanbul ΣΑΣ", {}, ["ärger", "i̇stanbul", "σας"]),
        ("cafe\u0301 noir", {}, ["caf\u00e9", "noir"]),
        ("हिन्दी में", {}, ["हिन्दी", "में"]),
        ("ﬁne", {"unicode": "NFKC"}, ["fine"]),
        ("in 1984 or ٣", {"digits": "zero"}, ["in", "0000", "or", "0"]),
        ("Good<br /><BR>fun &amp; more", {"html_breaks": True}, ["good", "fun", "&", "more"]),
        ("a<b", {}, ["a", "<", "b"]),
        ("New  York,\tNY", {"unit": "whitespace", "lowercase": False}, ["New", "York,", "NY"]),
        ("ab c", {"unit": "character"}, ["a", "b", " ", "c"]),
        ("", {}, []),
    ],
)
def test_policy(text: str, parameters: dict[str, Any], expected: list[str]) -> None:
    assert tokens(text, **parameters) == expected


@pytest.mark.parametrize(
    ("unit", "html_breaks"),
    [("word", False), ("word", True), ("whitespace", False), ("whitespace", True),
     ("character", False)],
)  # fmt: skip
def test_spans_point_into_the_raw_text_and_agree_with_tokens(unit: str, html_breaks: bool) -> None:
    units = tokenizer(TokenizerParameters(unit=unit, html_breaks=html_breaks))  # type: ignore[arg-type]
    text = "Don't PANIC,<br />cafe\u0301 at 42&nbsp;Rue."
    spans = units.spans(text)
    assert [token for token, _, _ in spans] == units.tokens(text)
    plain = [(t, text[a:b]) for t, a, b in spans if t.isascii() and "&" not in text[a:b]]
    assert plain and all(token == raw.lower() for token, raw in plain)
    assert all(a < b for _, a, b in spans)
    assert all(first[2] <= second[1] for first, second in itertools.pairwise(spans))


def test_subwords_are_learned_saved_and_cover_unseen_words(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    parameters = TokenizerParameters(unit="subword")
    units = tokenizer(parameters)
    units.fit(["low lower lowest new newer newest wide wider widest"] * 20, 60)
    units.save(tmp_path)
    again = tokenizer(parameters)
    again.load(tmp_path)
    text = "the newest lowest wider"
    assert again.tokens(text) == units.tokens(text)
    assert "".join(units.tokens("Lowest")).replace("▁", "") == "lowest"
    assert len(units.tokens("lower")) < len("lower")


def test_subwords_are_learned_from_the_first_texts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    monkeypatch.setattr("nlp_rnn.text.tokenizers.LEARNED_FROM", 30)
    units = tokenizer(TokenizerParameters(unit="subword"))
    texts = iter(["low lower lowest"] * 2 + ["zebra"] * 3)
    units.fit(texts, 60)
    assert list(texts) == ["zebra"] * 3
    assert units.tokens("low") == ["▁low"]
    assert set(units.tokens("az")) == {"▁", "<unk>"}


def test_subwords_read_html_as_other_units_do_and_point_into_the_raw_text(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    units = tokenizer(TokenizerParameters(unit="subword", html_breaks=True))
    text = "salt &amp; pepper<br />caf&eacute; &#60;3 &lt;br&gt;"
    units.fit([text] * 20, 60)
    words = "".join(units.tokens(text)).split("▁")[1:]
    assert words == ["salt", "&", "pepper", "café", "<3", "<br>"]
    spans = units.spans(text)
    assert [token for token, _, _ in spans] == units.tokens(text)
    assert all(first[2] <= second[1] for first, second in itertools.pairwise(spans))
    for token, start, end in spans:
        raw = html.unescape(text[start:end].removeprefix("<br />"))
        assert raw.strip() == token.strip("▁")
