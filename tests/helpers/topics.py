"""Texts of one of two topics, "a" and "b", whose words tell the topic."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def texts(rng: np.random.Generator, topic: str, count: int, words: int) -> list[str]:
    """Six words each, drawn from as many ``words`` as the topic has."""
    return [
        " ".join(f"{topic}{number}" for number in numbers)
        for numbers in rng.integers(0, words, (count, 6))
    ]


def write_texts(folder: Path, texts: list[str]) -> None:
    """A file each."""
    folder.mkdir(parents=True)
    for i, text in enumerate(texts):
        (folder / f"{i}.txt").write_text(text)
