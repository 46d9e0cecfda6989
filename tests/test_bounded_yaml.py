"""YAML of strangers: small files that stand for large values are refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlp_rnn.bounded_yaml import load_yaml
from nlp_rnn.config import read_yaml
from nlp_rnn.errors import UserError
from nlp_rnn.hints import Remedy

LEVELS = list(zip("abcdefghijk", "bcdefghijkl", strict=True))
BOMBS = {
    "aliases": "a: &a [x, x]\n"
    + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in LEVELS),
    "merge keys": "a: &a {k: 1}\n"
    + "".join(f"{n}: &{n}\n  <<: [{', '.join([f'*{o}'] * 9)}]\n" for o, n in LEVELS),
    "flow": "{a: " * 3000 + "1" + "}" * 3000,
    "maps": "\n".join(" " * i + "a:" for i in range(500)),
    "digits": f"seed: {'9' * 10_000}",
    "hexadecimal": f"seed: 0x{'f' * 10_000}",
    "exponent": f"seed: 1e{'9' * 1000}",
    "length": "a: [" + "[], " * 100_000 + "]",
    "date": "seed: 2024-02-31",
    "zone": "seed: 2024-01-01 00:00:00 +99:99",
    "object": "seed: !!python/object/apply:os.system ['touch PWNED']",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(BOMBS[kind])
    with pytest.raises(UserError, match=r"params\.yaml") as error:
        read_yaml(Path("params.yaml"))
    assert len(str(error.value).splitlines()) == 1
    assert not Path("PWNED").exists()
    assert str(Remedy("train", "x", ("train",))) == "train: dvc repro train@x"  # reads it too


def test_aliases_and_merge_keys_are_read() -> None:
    text = "base: &base {units: 8, layers: 2}\none: {<<: *base, units: 16}\ntwo: *base\n"
    found = load_yaml(text)
    assert found["one"] == {"units": 16, "layers": 2}
    assert found["two"] == found["base"]
