"""The actions of ``nlp-rnn embeddings`` that are about sentences."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn.commands.arguments import count, positive, seed, words
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require

if TYPE_CHECKING:
    from nlp_rnn.embeddings.sentence_encoder import SentenceEncoder
    from nlp_rnn.embeddings.vectors import Matrix, WordVectors

WAYS = ["mean", "sif", "lstm"]
LEARNED = ["encoder", "encoder+mean"]
SUFFIXES = (".npy", ".jsonl", ".png", ".html")

Opened = tuple["WordVectors", "SentenceEncoder | None"]
"""What the argument VECTORS means: word vectors, and the encoder that reads them if it is one."""

Open = Callable[[str], Opened]


def add_map_options(parser: argparse.ArgumentParser) -> None:
    """How vectors become points."""
    parser.add_argument(
        "--method", choices=["pca", "tsne", "lle"], default="pca", help="(default: pca)"
    )
    parser.add_argument(
        "--perplexity",
        type=positive,
        default=30.0,
        metavar="P",
        help="of t-SNE: roughly how many neighbours count for each point (default: 30)",
    )
    parser.add_argument(
        "--neighbours",
        type=count,
        default=12,
        metavar="K",
        help="of LLE: how many neighbours rebuild each point (default: 12)",
    )


def require_method(options: argparse.Namespace) -> None:
    """Raise UserError unless the library of ``--method`` is installed."""
    if options.method != "pca":
        require("sklearn", "embeddings", f"--method {options.method}")


def add_options(parser: argparse.ArgumentParser, ways: bool = True) -> None:
    """How sentences become vectors."""
    if ways:
        parser.add_argument(
            "--by",
            choices=[*WAYS, *LEARNED],
            help="the mean of the words' vectors, their mean by smooth inverse frequency (Arora et "
            "al. 2017), an LSTM with random weights (Wieting & Kiela 2019), a learned encoder, or "
            "this beside the mean, both of length 1 (default: encoder if VECTORS is one, otherwise "
            "mean)",
        )
    parser.add_argument(
        "--unit",
        choices=["word", "whitespace"],
        default="word",
        help="how texts become words; whitespace takes tokenised texts as they are (default: word)",
    )
    parser.add_argument(
        "--units", type=count, default=512, help="of each direction of the LSTM (default: 512)"
    )
    parser.add_argument(
        "--seed", type=seed, default=1, help="of the LSTM, t-SNE and LLE (default: 1)"
    )


def add_write(parser: argparse.ArgumentParser, open_vectors: Open) -> None:
    """``sentences``: write, or draw, a vector for each line of a file."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a text file, a sentence per line")
    parser.add_argument("target", metavar="OUT", type=Path, help=f"a file: {', '.join(SUFFIXES)}")
    add_options(parser)
    add_map_options(parser)
    parser.set_defaults(action=lambda options: _write(options, open_vectors))


def add_nearest(parser: argparse.ArgumentParser, open_vectors: Open) -> None:
    """``nearest-sentences``: the lines of a file that are nearest to a text."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a text file, a sentence per line")
    parser.add_argument("texts", metavar="TEXT", nargs="+", type=words)
    parser.add_argument("-n", type=count, default=10, metavar="N", help="number (default: 10)")
    add_options(parser)
    parser.set_defaults(action=lambda options: _nearest(options, open_vectors))


def add_judge(parser: argparse.ArgumentParser, open_vectors: Open) -> None:
    """``judge-sentences``: what the vectors are worth to simple classifiers."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--labelled",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="a file with a label, a space and a text per line, and optionally a test file",
    )
    which.add_argument(
        "--related",
        nargs=2,
        type=Path,
        metavar=("TRAIN", "TEST"),
        help="pairs in the format of SICK, with the columns sentence_A, sentence_B and "
        "relatedness_score",
    )
    add_options(parser, ways=False)
    parser.set_defaults(action=lambda options: _judge(options, open_vectors))


def _ways(opened: Opened) -> list[str]:
    """All ways to make sentence vectors."""
    return WAYS if opened[1] is None else [*WAYS, *LEARNED]


def _way(options: argparse.Namespace, opened: Opened) -> str:
    """The way that was chosen; raises UserError if it needs an encoder and there is none."""
    encoder = opened[1]
    if encoder is None and options.by in LEARNED:
        raise UserError(
            f"{options.vectors}: is no sentence encoder, which --by {options.by} needs; give a "
            "folder that `dvc repro sentences@NAME` wrote, or leave --by out"
        )
    return options.by or ("mean" if encoder is None else "encoder")


def _encoded(
    texts: Sequence[str], opened: Opened, options: argparse.Namespace, ways: Sequence[Any]
) -> list[Matrix]:
    """The vectors of texts, once for each of the ways."""
    from nlp_rnn.embeddings.sentences import rows_of, sentence_vectors, side_by_side
    from nlp_rnn.process import log

    vectors, encoder = opened
    sentences = rows_of(texts, vectors, options.unit)
    if empty := sum(not len(rows) for rows in sentences):
        log(f"{empty:,} of {len(texts):,} texts have no word with a vector, and get zeros")

    def by(way: Any) -> Matrix:
        return sentence_vectors(sentences, vectors, way, options.units, options.seed)

    if encoder is None or set(ways).isdisjoint(LEARNED):
        return [by(way) for way in ways]
    learned = encoder.encode(sentences)
    found = {"encoder": lambda: learned, "encoder+mean": lambda: side_by_side(learned, by("mean"))}
    return [found[way]() if way in found else by(way) for way in ways]


def _lines(file: Path) -> list[str]:
    from nlp_rnn.corpora.lines import read_lines

    lines = list(read_lines(file, "error"))
    if not lines:
        raise UserError(f"{file}: is empty; give a file with a sentence per line")
    return lines


def _write(options: argparse.Namespace, open_vectors: Open) -> None:
    target: Path = options.target
    if target.suffix not in SUFFIXES:
        raise UserError(f"{target}: expected a name that ends with {', '.join(SUFFIXES)}")
    if target.suffix == ".png":
        require("matplotlib", "embeddings", "a picture")
    require_method(options)
    lines = _lines(options.file)
    opened = open_vectors(options.vectors)
    by = _way(options, opened)
    (matrix,) = _encoded(lines, opened, options, [by])
    if target.suffix in (".png", ".html"):
        return _draw(lines, matrix, by, options)

    import numpy as np

    from nlp_rnn.files import whole_file, write_json_lines

    if target.suffix == ".npy":
        with whole_file(target) as partial, partial.open("wb") as stream:
            np.save(stream, matrix)
        return None
    pairs = zip(lines, matrix, strict=True)
    write_json_lines(
        target,
        ({"text": line, "vector": [round(float(x), 7) for x in row]} for line, row in pairs),
    )
    return None


def _draw(lines: Sequence[str], matrix: Matrix, by: str, options: argparse.Namespace) -> None:
    from nlp_rnn.drawing import save
    from nlp_rnn.embeddings import maps
    from nlp_rnn.embeddings.projection import caption, project
    from nlp_rnn.embeddings.vectors import WordVectors

    shown = WordVectors(lines, matrix)
    how = (options.method, options.perplexity, options.seed, options.neighbours)
    points = project(shown, *how)
    note = caption(shown, points, *how)
    note = note.replace("words", "sentences").replace("Words", "Sentences")
    title = f"{options.file.name} by {by}"
    if options.target.suffix == ".png":
        save(maps.map_picture(lines, points, title, note), options.target)
    else:
        maps.write_page(shown, points, title, note, options.target)


def _nearest(options: argparse.Namespace, open_vectors: Open) -> None:
    from nlp_rnn.embeddings.vectors import WordVectors

    lines = _lines(options.file)
    opened = open_vectors(options.vectors)
    (matrix,) = _encoded([*lines, *options.texts], opened, options, [_way(options, opened)])
    among = WordVectors(lines, matrix[: len(lines)])
    for text, query in zip(options.texts, matrix[len(lines) :], strict=True):
        for line, cosine in among.neighbours(query, options.n):
            print(f"{text}\t{line}\t{cosine:.4f}")


def _judge(options: argparse.Namespace, open_vectors: Open) -> None:
    require("sklearn", "embeddings", "judge-sentences")

    from nlp_rnn.markdown import markdown_table

    if options.related:
        header, rows = _judged_pairs(options, open_vectors)
    else:
        header, rows = _judged_labels(options, open_vectors)
    print(markdown_table(header, rows))


def _judged_labels(options: argparse.Namespace, open_vectors: Open) -> tuple[list[str], Any]:
    from nlp_rnn.embeddings.sentence_tests import accuracy, check_folds, read_labelled

    if len(options.labelled) > 2:
        raise UserError("--labelled: expected a file, or a training and a test file")
    (texts, labels), *others = map(read_labelled, options.labelled)
    training = len(texts) if others else None
    if training is None:
        check_folds(options.labelled[0], labels)
    for more_texts, more_labels in others:
        texts, labels = texts + more_texts, labels + more_labels
    opened = open_vectors(options.vectors)
    ways = _ways(opened)
    found = _encoded(texts, opened, options, ways)
    rows = [
        [way, f"{matrix.shape[1]:,}", f"{accuracy(matrix, labels, training):.4f}"]
        for way, matrix in zip(ways, found, strict=True)
    ]
    return ["sentence vectors", "numbers", "accuracy"], rows


def _judged_pairs(options: argparse.Namespace, open_vectors: Open) -> tuple[list[str], Any]:
    import numpy as np

    from nlp_rnn.embeddings.sentence_tests import cosines, pearson, read_related, relatedness

    train, test = map(read_related, options.related)
    training, gold = len(train[2]), np.concatenate([train[2], test[2]])
    firsts, seconds = train[0] + test[0], train[1] + test[1]
    opened = open_vectors(options.vectors)
    ways = _ways(opened)
    rows = []
    for way, matrix in zip(ways, _encoded(firsts + seconds, opened, options, ways), strict=True):
        u, v = matrix[: len(firsts)], matrix[len(firsts) :]
        alone = pearson(cosines(u, v)[training:], gold[training:])
        fitted = relatedness(u, v, gold, training)
        rows.append([way, f"{matrix.shape[1]:,}", f"{alone:.4f}", f"{fitted:.4f}"])
    return ["sentence vectors", "numbers", "Pearson of cosines", "Pearson of a regression"], rows
