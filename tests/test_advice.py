"""The advice of errors, followed literally: what a message says to set is set, and then it works.

An advice that leads to another error is followed too, until there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from nlp_rnn.cli import main

ROWS = [(f"a text number {i}", "good" if i % 2 else "bad") for i in range(40)]


def table(delimiter: str, header: str = "text label") -> str:
    lines = [delimiter.join(row) for row in ROWS]
    return "\n".join([delimiter.join(header.split()), *lines] if header else lines) + "\n"


def sentences(*tags: str) -> str:
    words = (f"word{i} {tag}" for i, tag in enumerate(tags))
    return "\n".join([*words, ""]) + "\n"


@dataclass(frozen=True)
class Situation:
    """A file that people have, and the settings that the messages ask for, one after the other."""

    files: dict[str, str | bytes]
    settings: dict[str, Any]
    advised: list[str]


SITUATIONS = {
    "semicolons": Situation({"a.csv": table(";")}, {"format": "csv"}, ['delimiter: ";"']),
    "bars": Situation({"a.csv": table("|")}, {"format": "csv"}, ['delimiter: "|"']),
    "tabs in .csv": Situation({"a.csv": table("\t")}, {"format": "csv"}, ['delimiter: "\\t"']),
    "commas in .tsv": Situation({"a.tsv": table(",")}, {"format": "tsv"}, ['delimiter: ","']),
    "no header": Situation(
        {"a.csv": table(",", "")},
        {"format": "csv"},
        ["header: false", "text_column: 0", "label_column: 0"],
    ),
    "bytes of Latin-1": Situation(
        {"a.csv": table(",").replace("number", "n\xfamber").encode("latin-1")},
        {"format": "csv"},
        ["tokenizer.bad_bytes: replace"],
    ),
    "files without .txt": Situation(
        {f"a/{label}/{i}.md": f"{label} {i}" for i in range(12) for label in ("yes", "no")},
        {"format": "folders"},
        ['suffix: ""'],
    ),
    "entities in another scheme": Situation(
        {"a.conll": sentences("B-PER", "E-PER", "O", "S-LOC") * 20},
        {"format": "conll", "scheme": "BIO"},
        ["scheme: BIOES"],
    ),
    "a word that is empty": Situation(
        {"a.conll": sentences("O", "B-PER").replace(" ", "\t") * 20 + "\tO\n\n"},
        {"format": "conll"},
        ["empty_words: skip"],
    ),
}


def write(parameters: dict[str, Any]) -> None:
    YAML().dump({"datasets": {"mine": parameters}}, Path("params.yaml"))


def follow(parameters: dict[str, Any], advice: str) -> None:
    """Set what a line of YAML, with a dotted key, says."""
    key, _, value = advice.partition(": ")
    *outer, last = key.split(".")
    for part in outer:
        parameters = parameters.setdefault(part, {})
    parameters[last] = YAML(typ="safe").load(value)


@pytest.mark.parametrize("name", SITUATIONS)
def test_following_the_advice_ends_in_success(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    situation = SITUATIONS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLP_RNN_DATA", str(tmp_path))
    for file, content in situation.files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    train = next(iter(situation.files)).partition("/")[0]
    split = {"validation": 0.2, "test": 0.2}
    parameters: dict[str, Any] = {"source": "files", "train": train, "split": split}
    parameters |= situation.settings
    for advice in situation.advised:
        write(parameters)
        assert main(["stage", "prepare", "mine"]) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1, message
        assert mentions(message, advice), message
        assert not (tmp_path / "data").exists() or not any((tmp_path / "data").rglob("card.json"))
        follow(parameters, advice)
    if name == "no header":
        parameters["label_column"] = 1  # the message says "or another"
    write(parameters)
    assert main(["stage", "prepare", "mine"]) == 0
    assert (tmp_path / "data/prepared/mine/card.json").is_file()


def mentions(message: str, advice: str) -> bool:
    """Whether a message says to set this, or names the setting and lists the value."""
    key, _, value = advice.partition(": ")
    named = re.search(rf"\b{re.escape(key)}\b", message) is not None
    return advice in message or (named and value in message)


OPTIONS = {
    "semicolons": ("a.csv", table(";"), ["--delimiter", ";"]),
    "another column": ("a.csv", table(",", "review label"), ["--text-column", "review"]),
    "bytes of Latin-1": ("a.txt", b"caf\xe9\n", ["--bad-bytes", "replace"]),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_predict_advises_work(
    name: str, bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, content, options = OPTIONS[name]
    source, target = tmp_path / file, tmp_path / "out.jsonl"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    command = ["predict", str(bundles["classification"]), str(source), str(target)]
    assert main(command) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert options[0] in message and options[1] in message
    assert not target.exists()
    assert main([*command, *options]) == 0
    assert target.is_file()
