"""Bundles of strangers, with checksums that fit: every part is checked on opening."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.markdown import code, plain
from nlp_rnn.runtime.bundle import DATA_CARD, DESCRIPTION, Bundle
from nlp_rnn.runtime.export import README, export_onnx
from nlp_rnn.text.tokenizers import make_tokenizer

DEEP = "[" * 900 + "]" * 900


def edited(source: Path, folder: Path, part: str, edit: Callable[[Any], Any]) -> Path:
    """A copy of a bundle with a changed part; its checksums fit."""
    shutil.copytree(source, folder)
    file = folder / part
    given = json.loads(file.read_text(encoding="utf-8"))
    found = edit(given)
    text = found if isinstance(found, str) else json.dumps(found)
    file.write_text(text, encoding="utf-8")
    if part != DESCRIPTION:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        description["sha256"][part] = hashlib.sha256(file.read_bytes()).hexdigest()
        (folder / DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")
    return folder


def put(*keys: Any, value: Any) -> Callable[[Any], Any]:
    """Sets the value at ``keys``."""

    def edit(data: Any) -> Any:
        *path, last = keys
        inner = data
        for key in path:
            inner = inner[key]
        inner[last] = value
        return data

    return edit


HOSTILE: list[tuple[str, Callable[[Any], Any]]] = [
    *((DESCRIPTION, put("figures", "temperature", value=t)) for t in ("1", True, -1, 0, None)),
    (DESCRIPTION, put("name", value="x\x1b]0;title\x07")),
    (DESCRIPTION, put("name", value="x\n# heading")),
    (DESCRIPTION, put("name", value={"a": 1})),
    (DESCRIPTION, put("graph", value={"unsupported": [1]})),
    (DESCRIPTION, put("graph", value={"unsupported": None, "int8": "yes"})),
    (DESCRIPTION, put("provenance", "backend", value=["jax"])),
    (DESCRIPTION, put("provenance", value=[])),
    (DESCRIPTION, put("sha256", "../../etc/passwd", value="0" * 64)),
    (DESCRIPTION, put("sha256", "vocabulary.json", value=1)),
    (DESCRIPTION, lambda data: data | {"sha256": {}}),
    (DESCRIPTION, lambda data: json.dumps(data).replace('"name"', f'"x": {DEEP}, "name"')),
    ("labels.json", lambda _: ["good\x1b[2J", "bad"]),
    ("labels.json", lambda _: ["good\x9b2J", "bad"]),
    ("labels.json", lambda _: ["good\nbad", "bad"]),
    ("labels.json", lambda _: ["good\u2028bad", "bad"]),
    ("labels.json", lambda _: DEEP),
    ("vocabulary.json", put("types", 3, value="a\x1b[2J")),
    ("vocabulary.json", put("types", 3, value="a\nb")),
    ("vocabulary.json", put("types", 3, value="\ud800")),
    ("vocabulary.json", put("counts", 3, value=-1)),
    ("tokenizer.json", put("rules", value=99)),
    ("tokenizer.json", put("lowercase", value="yes")),
    ("tokenizer.json", lambda _: [1]),
    (DATA_CARD, lambda _: [1]),
    (DATA_CARD, put("entities", value="yes")),
    (DATA_CARD, lambda data: json.dumps(data).replace("{", f'{{"x": {DEEP}, ', 1)),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_part_is_one_line(bundles: dict[str, Path], tmp_path: Path, number: int) -> None:
    part, edit = HOSTILE[number]
    folder = edited(bundles["classification"], tmp_path / "bundle", part, edit)
    with pytest.raises(UserError) as error:
        Bundle.open(folder)
    assert str(folder) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 3000


def test_the_line_ends_of_a_character_model_are_no_fault() -> None:
    characters = make_tokenizer(TokenizerParameters(unit="character"))
    words = make_tokenizer(TokenizerParameters(unit="word"))
    first = make_tokenizer(TokenizerParameters(unit="word", rules=1))
    for token in ("\n", "\t", "\n\u0301", "\x85"):
        assert characters.can_give(token)
        assert not words.can_give(token)
    assert first.can_give("\x96")  # an old bundle keeps what its rules gave
    assert not characters.can_give("\x1b") and not words.can_give("\x1b")
    assert words.can_give("a\u2028b", of_words=True)  # a word of a CoNLL file


ODD = [
    *("a\x96b \x85 c\x1bd\te", "don\u2019t\u00ad \u202eabc \u2028", "\ufeffx\r\ny\x0b\x0cz"),
    *("&#27;&#10;&lt;", "\u0301\n\u0301"),
]


@pytest.mark.parametrize(
    ("unit", "html"),
    [
        *(("word", True), ("word", False), ("whitespace", True), ("whitespace", False)),
        ("character", False),
    ],
)
def test_every_token_of_odd_texts_can_be_given(unit: Any, html: bool) -> None:
    tokenizer = make_tokenizer(TokenizerParameters(unit=unit, html_breaks=html))
    for text in ODD:
        assert all(map(tokenizer.can_give, tokenizer.tokens(text)))
        words = tokenizer.words(text.replace("\n", " ").split(" "))
        assert all(tokenizer.can_give(word, of_words=True) for word in words)


@pytest.mark.parametrize("listed", [False, True])
def test_export_copies_no_private_file(
    bundles: dict[str, Path], tmp_path: Path, listed: bool
) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text('{"key": "private"}')
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["classification"], folder)
    (folder / DATA_CARD).unlink()
    (folder / DATA_CARD).symlink_to(secret)
    description = json.loads((folder / DESCRIPTION).read_text())
    del description["sha256"][DATA_CARD]
    if listed:
        description["sha256"][DATA_CARD] = hashlib.sha256(secret.read_bytes()).hexdigest()
    (folder / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(UserError, match=DATA_CARD):
        export_onnx(folder, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_links_into_the_cache_of_dvc_are_files(bundles: dict[str, Path], tmp_path: Path) -> None:
    folder, cache = tmp_path / "bundle", tmp_path / ".dvc/cache/files/md5/ab"
    shutil.copytree(bundles["classification"], folder)
    cache.mkdir(parents=True)
    shutil.move(folder / DATA_CARD, cache / ("c" * 30))
    (folder / DATA_CARD).symlink_to(cache / ("c" * 30))
    export_onnx(folder, tmp_path / "exported")
    assert not (tmp_path / "exported" / DATA_CARD).is_symlink()


def test_an_unlisted_file_is_not_read(bundles: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles["classification"], folder)
    (folder / "start_states.json").write_text("not JSON")
    Bundle.open(folder)


def test_the_readme_of_an_export_shows_names_as_texts(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    name = "<script>alert(1)</script> `x` # *y* [z](javascript:1)"
    folder = edited(bundles["classification"], tmp_path / "b", DESCRIPTION, put("name", value=name))
    export_onnx(folder, tmp_path / "exported")
    first = (tmp_path / "exported" / README).read_text().splitlines()[0]
    assert first == f"# {plain(name)}"
    assert "<" not in first and "[z](" not in first and " `x`" not in first


def test_code_holds_any_text() -> None:
    assert code("B-PER") == "`B-PER`"
    assert code("a`b``c") == "``` a`b``c ```"
