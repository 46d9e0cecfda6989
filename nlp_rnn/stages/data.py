"""Stages download and prepare: the files of a data set, and its tokens as numbers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

from nlp_rnn import paths
from nlp_rnn.config import GrammarDataset, MemoryDataset, load
from nlp_rnn.files import write_json
from nlp_rnn.process import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nlp_rnn.text.vocabulary import Vocabulary


def download(name: str) -> None:
    """Get or find the files of a real data set and write their checksums.

    Where the checksums are as before, nothing after this stage runs again.
    """
    dataset = load().dataset(name)

    from nlp_rnn.corpora import open_corpus

    write_json(paths.checksums(name), open_corpus(name, dataset).provenance())


def prepare(name: str) -> None:
    """Download or generate a data set, tokenise it, build its vocabulary, write its data card."""
    dataset = load().dataset(name)

    from tqdm import tqdm

    from nlp_rnn.corpora import open_corpus
    from nlp_rnn.corpora.splits import with_all_splits
    from nlp_rnn.text.prepared import prepare as prepare_dataset

    def progress(examples: Iterable[Any]) -> Iterator[Any]:
        return iter(tqdm(examples, desc=name, unit=" examples", disable=not sys.stderr.isatty()))

    corpus = with_all_splits(open_corpus(name, dataset), dataset.split, dataset.seed)

    def optimum(vocabulary: Vocabulary) -> dict[str, float]:
        from nlp_rnn.corpora import grammar
        from nlp_rnn.corpora.memory import OPTIMUM

        if isinstance(dataset, MemoryDataset):
            return OPTIMUM
        assert isinstance(dataset, GrammarDataset)
        unit: Literal["word", "character"]
        unit = "character" if dataset.tokenizer.unit == "character" else "word"
        known = frozenset(vocabulary.types)
        return grammar.optimum(dataset.corpus, list(corpus.read("test")), known, unit)

    card = prepare_dataset(
        name,
        corpus,
        dataset.tokenizer,
        dataset.vocabulary,
        paths.prepared(name),
        progress,
        optimum if isinstance(dataset, GrammarDataset | MemoryDataset) else None,
    )
    for split, counts in card["splits"].items():
        log(
            f"{name} {split}: {counts['sentences']:,} examples, {counts['tokens']:,} tokens, "
            f"{counts['unknown_rate']:.2%} unknown"
        )
