"""Where an encoder-decoder looks while it writes: a heat map and a table for each source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.lines import BadBytes, read_lines
from nlp_rnn.corpora.settings import options_named
from nlp_rnn.drawing import save
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.plots import attention_picture
from nlp_rnn.files import check_folder, write_table
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.process import log
from nlp_rnn.runtime.bundle import Bundle

MOST_SOURCES = 12
"""The number of lines that are shown."""

PICTURE, TABLE = "attention.png", "attention.csv"


def inspect_attention(
    bundle: Bundle, text_file: Path, target: Path, bad_bytes: BadBytes | None = None
) -> None:
    """Write ``attention.png`` and ``attention.csv`` of the first lines of a text into a folder.

    Args:
        bundle: an encoder-decoder with attention.
        text_file: a source in each line.
        target: the folder, created if it is missing; the two files in it are replaced.
        bad_bytes: how to treat undecodable UTF-8; None means as in training.

    Raises:
        UserError: the bundle has no attention, or the text is invalid.
    """
    check_folder(target)
    predictor = Predictor.of(bundle, Options(attention=True))
    texts = first_texts(bundle, text_file, MOST_SOURCES, bad_bytes)
    shown = [prediction["attention"] for prediction in predictor.predict(texts)]
    target.mkdir(parents=True, exist_ok=True)
    save(attention_picture(shown, bundle.name), target / PICTURE)
    write_table(target / TABLE, list(_rows(shown)))
    log(f"{target / PICTURE} shows {len(shown):,} outputs, {target / TABLE} has their weights")


def first_texts(
    bundle: Bundle, text_file: Path, most: int, bad_bytes: BadBytes | None = None
) -> list[str]:
    """The first lines of a file that are not blank, at most ``most``.

    Args:
        bad_bytes: how to treat undecodable UTF-8; None means as in training.

    Raises:
        UserError: there are none, or the file cannot be read.
    """
    with options_named():
        lines = read_lines(text_file, bad_bytes or bundle.tokenizer.parameters.bad_bytes)
        texts = list(islice((line for line in lines if line.strip()), most))
    if not texts:
        raise UserError(f"{text_file}: holds no text; give a file with at least one line")
    return texts


def _rows(alignments: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each token of an output and each of its source."""
    for number, alignment in enumerate(alignments, 1):
        for token, weights in zip(alignment["output"], alignment["weights"], strict=True):
            for source, weight in zip(alignment["source"], weights, strict=True):
                yield {
                    "text": number,
                    "output": token,
                    "source": source,
                    "weight": f"{weight:.6g}",
                }
