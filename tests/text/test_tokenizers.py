"""Tokenizers: the stated policy for Unicode, case, digits, HTML; offsets into the raw text."""

from __future__ import annotations

import html
import itertools
import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.text import characters, markup
from nlp_rnn.text.characters import INVISIBLE
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.tokenizers import load_parameters, make_tokenizer
from nlp_rnn.text.vocabulary import UNK


def tokens(text: str, **parameters: Any) -> list[str]:
    return make_tokenizer(TokenizerParameters(**parameters)).tokens(text)


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
    units = make_tokenizer(TokenizerParameters(unit=unit, html_breaks=html_breaks))  # type: ignore[arg-type]
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
    units = make_tokenizer(parameters)
    units.fit(["low lower lowest new newer newest wide wider widest"] * 20, 60)
    units.save(tmp_path)
    again = make_tokenizer(parameters)
    again.load(tmp_path)
    text = "the newest lowest wider"
    assert again.tokens(text) == units.tokens(text)
    assert "".join(units.tokens("Lowest")).replace("▁", "") == "lowest"
    assert len(units.tokens("lower")) < len("lower")


def test_subwords_are_learned_from_the_first_texts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    monkeypatch.setattr("nlp_rnn.text.rules.LEARNED_FROM", 30)
    units = make_tokenizer(TokenizerParameters(unit="subword"))
    texts = iter(["low lower lowest"] * 2 + ["zebra"] * 3)
    units.fit(texts, 60)
    assert list(texts) == ["zebra"] * 3
    assert units.tokens("low") == ["▁low"]
    assert set(units.tokens("az")) == {"▁", "<unk>"}


def test_subwords_read_html_as_other_units_do_and_point_into_the_raw_text(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    units = make_tokenizer(TokenizerParameters(unit="subword", html_breaks=True))
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


# --- entities, marks, invisible characters, apostrophes ------------------------------------


@pytest.mark.parametrize("unit", ["word", "whitespace"])
@pytest.mark.parametrize(
    "written",
    ["don&#39;t", "don&#x27;t", "don&#39t", "don&apos;t", "don’t", "donʼt", "don＇t", "don&rsquo;t",
     "do&shy;n&#39;t", "do\u00adn't", "don\u200b't", "do\u2060n’t", "\ufeffdon't"],
)  # fmt: skip
def test_a_word_is_one_token_however_its_apostrophe_is_written(unit: str, written: str) -> None:
    units = make_tokenizer(TokenizerParameters(unit=unit, html_breaks=True))  # type: ignore[arg-type]
    first = len(written) - len(written.lstrip("\ufeff")) if unit == "word" else 0
    assert units.spans(f"I {written} know") == [
        ("i", 0, 1),
        ("don't", 2 + first, 2 + len(written)),
        ("know", 3 + len(written), 7 + len(written)),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("caf&eacute; noir", [("café", 0, 11), ("noir", 12, 16)]),
        ("a&nbsp;b", [("a", 0, 1), ("b", 7, 8)]),
        ("&amp;lt;b", [("&", 0, 5), ("lt", 5, 7), (";", 7, 8), ("b", 8, 9)]),
        ("&lt;br&gt;", [("<", 0, 4), ("br", 4, 6), (">", 6, 10)]),
        ("&notit;", [("¬", 0, 4), ("it", 4, 6), (";", 6, 7)]),
        ("do&#1;g", [("dog", 0, 7)]),
        ("a&fjlig;b", [("afjb", 0, 9)]),
        ("R&B &unknown;", [("r", 0, 1), ("&", 1, 2), ("b", 2, 3), ("&", 4, 5), ("unknown", 5, 12),
                           (";", 12, 13)]),
        ("&#" + "9" * 5000 + ";", [("\ufffd", 0, 5003)]),
    ],
)  # fmt: skip
def test_entities_are_read_before_the_text_is_split(
    text: str, expected: list[tuple[str, int, int]]
) -> None:
    assert make_tokenizer(TokenizerParameters(html_breaks=True)).spans(text) == expected


EMOJI = {
    "variation selector": "\u2764\ufe0f",
    "skin tone": "\U0001f44d\U0001f3fd",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "woman scientist": "\U0001f469\U0001f3fd\u200d\U0001f52c",
    "heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "keycap": "1\ufe0f\u20e3",
    "hash keycap": "#\ufe0f\u20e3",
    "flag": "\U0001f1e9\U0001f1ea",
    "England": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "symbol with a mark": "=\u0338",
    "mark beyond the basic plane": "\U0001d158\U0001d165",
}


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("emoji", EMOJI.values(), ids=EMOJI)
def test_an_emoji_with_all_that_belongs_to_it_is_one_token(unit: str, emoji: str) -> None:
    units = make_tokenizer(TokenizerParameters(unit=unit))  # type: ignore[arg-type]
    spans = units.spans(f"{emoji}{emoji}ab")
    ends = [(start, end) for _, start, end in spans]
    n = len(emoji)
    assert ends[:2] == [(0, n), (n, 2 * n)]
    assert spans[0][0] == spans[1][0]
    assert "".join(token for token, _, _ in spans[2:]) == "ab"


def test_flags_of_countries_differ() -> None:
    england, scotland = EMOJI["England"], "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"  # fmt: skip  # noqa: E501
    assert len({*tokens(england), *tokens(scotland), *tokens("\U0001f3f4")}) == 3


def test_a_heart_is_one_type_with_and_without_its_variation_selector() -> None:
    assert tokens("I \u2764\ufe0f it") == tokens("I \u2764 it") == ["i", "\u2764", "it"]


@pytest.mark.parametrize("unit", ["word", "whitespace"])
def test_a_joiner_is_part_of_a_persian_word_and_of_no_english_one(unit: str) -> None:
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert tokens(f"\u200c{persian}\u200c", unit=unit) == [persian]
    assert tokens("hel\u200clo wor\u200dld", unit=unit) == ["hello", "world"]


def test_zero_width_spaces_separate_words_in_scripts_without_spaces_only() -> None:
    khmer = ["\u1781\u17d2\u1789\u17bb\u17c6", "\u1791\u17c5"]
    assert tokens("\u200b".join(khmer)) == khmer
    assert tokens("zero\u200bwidth \u200b space\u200b.") == ["zerowidth", "space", "."]


@pytest.mark.parametrize("unit", ["word", "whitespace"])
@pytest.mark.parametrize("separator", ["\x00", "\x96", "\x7f", "\u2800", "\u2028", "\x1c"])
def test_control_characters_and_blanks_separate_words(unit: str, separator: str) -> None:
    assert make_tokenizer(TokenizerParameters(unit=unit)).spans(  # type: ignore[arg-type]
        f"well{separator}known {separator} x"
    ) == [("well", 0, 4), ("known", 5, 10), ("x", 13, 14)]


def test_given_words_are_normalised_as_raw_ones_and_none_is_empty() -> None:
    units = make_tokenizer(TokenizerParameters(html_breaks=True))
    given = ["n’t", "’s", "soft\u00adhyphen", "\ufeff", "AT&amp;T", "\u2764\ufe0f"]
    assert units.words(given) == ["n't", "'s", "softhyphen", UNK, "at&t", "\u2764"]


# --- properties --------------------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from([*EMOJI.values(), "<br />", "<BR>", "&amp;", "&#39;", "&shy;", "&notit;", "&",
                     "&#1;", "&nbsp;", "don’t", "cafe\u0301", " ", "\n", "\u200b", "\u200c",
                     "\u00ad", "\u200d", "\ufe0f", "\u0301", "'", "’", "\u3164", "\u2800", "_",
                     "İ", "Σ",
                     "\u0645\u06cc\u200c\u062e", "\u1781", "\u1112\u1161\u11ab", "\u0600"]),
    st.characters(exclude_categories=("Cs",)),
    st.text(st.sampled_from("abAB10 .,'-_"), max_size=6),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
PARAMETERS = st.builds(
    lambda unit, html_breaks, **other: TokenizerParameters(
        unit=unit, html_breaks=html_breaks and unit != "character", **other
    ),
    unit=st.sampled_from(["word", "whitespace", "character"]),
    html_breaks=st.booleans(),
    lowercase=st.booleans(),
    digits=st.sampled_from(["keep", "zero"]),
    unicode=st.sampled_from(["NFC", "NFKC", "none"]),
)
quick = settings(max_examples=200, deadline=None, derandomize=True)
INVISIBLES = re.compile(f"[{INVISIBLE}{characters.CONTROLS}]+")
SPACES = re.compile(r"[\s\u2800]+")


def left_out(text: str, parameters: TokenizerParameters) -> str:
    """What no token needs to hold: nothing visible may remain."""
    shown = html.unescape(re.sub(r"(?i)<br\s*/?>", " ", text)) if parameters.html_breaks else text
    return SPACES.sub("", INVISIBLES.sub("", shown))


@pytest.mark.slow
@quick
@given(TEXTS, PARAMETERS)
def test_every_visible_character_lies_in_one_token(
    text: str, parameters: TokenizerParameters
) -> None:
    units = make_tokenizer(parameters)
    spans = units.spans(text)
    assert units.tokens(text) == [token for token, _, _ in spans]
    end = 0
    for token, start, after in spans:
        assert end <= start < after <= len(text)
        assert left_out(text[end:start], parameters) == ""
        assert INVISIBLES.sub("", token)
        assert parameters.unit == "character" or SPACES.sub("", token)
        end = after
    assert left_out(text[end:], parameters) == ""


@pytest.mark.slow
@quick
@given(TEXTS, PARAMETERS)
def test_the_raw_text_of_a_token_gives_the_token(
    text: str, parameters: TokenizerParameters
) -> None:
    units = make_tokenizer(parameters)
    for token, start, end in units.spans(text):
        assert units.tokens(text[start:end]) == [token]


@pytest.mark.slow
@quick
@given(st.lists(TEXTS, max_size=4), PARAMETERS)
def test_texts_are_cut_alike_alone_and_together(
    texts: list[str], parameters: TokenizerParameters
) -> None:
    together = make_tokenizer(parameters)
    once = [together.spans(text) for text in texts]
    assert once == [together.spans(text) for text in texts]
    assert once == [make_tokenizer(parameters).spans(text) for text in texts]


@pytest.mark.slow
@quick
@given(TEXTS.filter(lambda text: "<" not in text))
def test_entities_are_those_of_the_standard_library(text: str) -> None:
    read = markup.rewritten(text)
    assert read.text == markup.plain(text) == html.unescape(text)
    assert len(read.places) == len(read.text)


@pytest.mark.slow
@quick
@given(st.text(st.characters(codec="latin-1")) | TEXTS, st.sampled_from([*characters.PATTERNS]))
def test_the_fast_pattern_is_the_other_one_where_it_is_used(text: str, unit: str) -> None:
    whole = re.compile(characters.PATTERNS[unit](characters.python()))
    if characters.is_plain(text):
        assert re.findall(characters.PLAIN_PATTERNS[unit], text) == whole.findall(text)


@pytest.mark.slow
def test_invisible_characters_are_those_of_unicode() -> None:
    """Controls and format characters, but for signs of numbers, which are seen."""
    signs = re.compile(f"[{characters.NUMBER_SIGNS}]")
    for character in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(character)
        hidden = category in ("Cc", "Cf") and not character.isspace()
        if hidden and not signs.match(character):
            assert INVISIBLES.match(character), f"U+{ord(character):04X}"
        if INVISIBLES.match(character):
            assert category[0] in "CM" or unicodedata.name(character).endswith("FILLER")


@pytest.fixture(scope="module")
def subwords() -> dict[bool, Tokenizer]:
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    known = {}
    for html_breaks in (False, True):
        units = make_tokenizer(TokenizerParameters(unit="subword", html_breaks=html_breaks))
        units.fit(["low lower don't café ab AB \u2764 a_b 10 \U0001f44d."] * 20, 80)
        known[html_breaks] = units
    return known


@pytest.mark.slow
@quick
@given(text=TEXTS, html_breaks=st.booleans())
def test_every_visible_character_lies_in_a_subword(
    subwords: dict[bool, Tokenizer], text: str, html_breaks: bool
) -> None:
    units = subwords[html_breaks]
    spans = units.spans(text)
    assert units.tokens(text) == [token for token, _, _ in spans]
    end = before = 0
    for token, start, after in spans:
        assert token and before <= start <= after <= len(text)
        assert left_out(text[end:start], units.parameters) == ""
        before, end = start, max(end, after)
    assert left_out(text[end:], units.parameters) == ""


def test_subwords_are_the_same_however_a_word_is_written(subwords: dict[bool, Tokenizer]) -> None:
    expected = subwords[True].tokens("don't café")
    for text in ("don’t caf&eacute;", "do\u00adn&#39;t cafe\u0301", "don\u200b't\u00a0café"):
        assert subwords[True].tokens(text) == expected


# --- rules 1 ---------------------------------------------------------------------------------


def test_data_without_a_version_of_the_rules_keeps_the_first(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"unit": "word", "html_breaks": True}))
    units = make_tokenizer(load_parameters(tmp_path, "prepare it again"))
    text = "don&#39;t don’t ❤\ufe0flove so\u00adft<br />&amp; a_b"
    assert units.tokens(text) == [
        "don", "'", "t", "don’t", "❤", "\ufe0flove", "so", "\u00ad", "ft", "&", "a_b",
    ]  # fmt: skip
    assert units.words(["don’t", "&#39;s", "\ufeff"]) == ["don’t", "'s", "\ufeff"]
    assert [token for token, _, _ in units.spans(text)] == units.tokens(text)


@pytest.mark.parametrize("content", ['{"unit": "sentence"}', "[]", "null", '{"rules": 9}'])
def test_a_broken_tokenizer_file_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=r"tokenizer\.json: not a tokenizer .*; prepare it again"):
        load_parameters(tmp_path, "prepare it again")
