"""Stage prepare: a data set's tokens as numbers, its vocabulary and its data card."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nlp_rnn import paths
from nlp_rnn.config import GrammarDataset, MemoryDataset, PairsDataset, load_part
from nlp_rnn.files import whole_folder
from nlp_rnn.process import log
from nlp_rnn.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nlp_rnn.config import (
        KeptPairs,
        TargetParameters,
        TokenizerParameters,
        VocabularyParameters,
    )
    from nlp_rnn.corpora.corpus import Corpus
    from nlp_rnn.example import Example
    from nlp_rnn.text.prepared import Optimum
    from nlp_rnn.text.vocabulary import Vocabulary

T = TypeVar("T")

DUPLICATES_TO_WARN_OF = 0.01
"""Share of a split's texts that training may have too, before a warning."""


def prepare(name: str) -> None:
    """Download or generate a data set, tokenise it, build its vocabulary, write its data card."""
    dataset = load_part("datasets", name).dataset(name)

    from nlp_rnn.corpora import open_corpus
    from nlp_rnn.corpora.removal import without_faults
    from nlp_rnn.corpora.splits import folds_of, with_all_splits
    from nlp_rnn.text.annotated import with_tags

    corpus = with_tags(open_corpus(name, dataset), dataset)
    write = partial(
        write_prepared,
        name,
        tokenizer=dataset.tokenizer,
        vocabulary=dataset.vocabulary,
        of_target=dataset.target,
        keep=dataset.keep,
        keep_unseen=dataset.unseen_labels == "keep",
    )
    if dataset.split.folds is not None:
        folds = folds_of(corpus, dataset.split, dataset.seed)
        _prepare_folds(name, [without_faults(fold, dataset.remove) for fold in folds], write)
        return
    corpus = with_all_splits(corpus, dataset.split, dataset.seed)
    corpus = without_faults(corpus, dataset.remove)

    def optimum(vocabulary: Vocabulary) -> Optimum:
        from nlp_rnn.corpora import grammar
        from nlp_rnn.corpora.memory import OPTIMUM

        if isinstance(dataset, MemoryDataset):
            return {"words": OPTIMUM, "indices": OPTIMUM}
        examples = list(corpus.read("test"))
        if isinstance(dataset, PairsDataset):
            of_pairs = _rounded(_optimum_of_pairs(dataset, examples))
            return {"words": of_pairs, "indices": of_pairs}
        assert isinstance(dataset, GrammarDataset)
        unit: Literal["word", "character"]
        unit = "character" if dataset.tokenizer.unit == "character" else "word"
        known = frozenset(vocabulary.types)
        indices = _rounded(grammar.optimum(dataset.corpus, examples, known, unit))
        if dataset.kind == "text":  # what language models predict is limited by the vocabulary too
            return {"words": indices, "indices": indices}
        return {"words": _rounded(grammar.optimum(dataset.corpus, examples)), "indices": indices}

    known = isinstance(dataset, GrammarDataset | MemoryDataset | PairsDataset)
    write(corpus, optimum=optimum if known else None)


def _prepare_folds(name: str, folds: Sequence[Corpus], write: Callable[..., None]) -> None:
    """Write the prepared data of every fold, all or none of them; see :func:`nlp_rnn.paths.fold`.

    Each has the vocabulary of its own training split, so that no word is known from its test split.
    """
    with whole_folder(paths.prepared(name)) as folder:
        for number, corpus in enumerate(folds, start=1):
            target = folder / "folds" / str(number)
            write(corpus, title=f"{name} fold {number}", target=target)
        first = folder / "folds" / "1"
        for file in first.iterdir():
            file.rename(folder / file.name)
        first.rmdir()


def _optimum_of_pairs(dataset: PairsDataset, examples: Sequence[Example]) -> dict[str, float]:
    """The least loss, and the metrics of predicting the most probable target of each example."""
    from nlp_rnn.corpora.paired import make_problem
    from nlp_rnn.evaluation.sequences import sequence_figures

    best = make_problem(dataset).best(examples)
    reached = sequence_figures(best.targets, [[example.target] for example in examples])
    return best.metrics(examples) | {name: figure.value for name, figure in reached.items()}


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    """Figures to ten significant digits: the last ones of a sum differ from run to run, with the
    order in which a library adds, and DVC compares files byte by byte."""
    return {name: float(f"{value:.10g}") for name, value in figures.items()}


def write_prepared(
    name: str,
    corpus: Corpus,
    tokenizer: TokenizerParameters,
    vocabulary: VocabularyParameters,
    optimum: Callable[[Vocabulary], Optimum] | None = None,
    of_target: TargetParameters | None = None,
    keep: KeptPairs | None = None,
    keep_unseen: bool = False,
    title: str | None = None,
    target: Path | None = None,
) -> None:
    """Tokenise a corpus, build its vocabulary, write both, and say what is in it.

    Args:
        title: what it is called where it is talked of; ``name`` by default.
        target: the folder that is written; that of the data set by default.
    """
    from nlp_rnn.text.prepared import prepare as prepare_dataset

    title = title or name
    card = prepare_dataset(
        name,
        corpus,
        tokenizer,
        vocabulary,
        target or paths.prepared(name),
        partial(progress, description=title, unit="examples"),
        optimum,
        of_target,
        keep,
        keep_unseen,
    )
    _log_card(title, card)
    if optimum is None:  # built-in corpora repeat sentences as often as their grammar says
        _warn_of_duplicates(title, card)


def _log_card(name: str, card: dict[str, Any]) -> None:
    """Say what is in a data set."""
    if card.get("scheme"):
        how = ", recognised in the tags" if card.get("scheme_recognised") else ""
        log(f"{name}: tags mark entities in the scheme {card['scheme']}{how}; kept as BIO")
    elif card["kind"] in ("tagged", "joint"):
        log(f"{name}: tags are classes of words and mark no entities")
    if "spans" in card:
        from nlp_rnn.text.annotated import COUNTED, said_of_spans, summed

        log(f"{name}: {said_of_spans(summed(card['spans'], COUNTED))}")
    if "documents" in card:
        from nlp_rnn.text.annotated import OF_DOCUMENTS, said_of_documents, summed

        log(f"{name}: {said_of_documents(summed(card['documents']['splits'], OF_DOCUMENTS))}")
    if (removed := card.get("removed_from_training")) is not None:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in removed.items())
        log(f"{name}: removed from training: {reasons}")
    if skipped := sum(card.get("empty_words_skipped", {}).values()):
        log(f"{name}: {skipped:,} lines without a word skipped (empty_words: skip)")
    if (found := card.get("segmentation")) is not None:
        from nlp_rnn.text.segmentation import warning

        log(f"{name}: raw text will be cut by tokenizer.unit '{found['unit']}'")
        if (caution := warning(found)) is not None:
            log(f"{name}: warning: {caution}")
    for split, counts in card["splits"].items():
        log(f"{name} {split}: {_counted(counts)}")


def _counted(counts: dict[str, Any]) -> str:
    """What is in a split, in a line of the log."""
    found = f"{counts['sentences']:,} examples, {counts['tokens']:,} tokens"
    if "target_tokens" in counts:
        found += f" and {counts['target_tokens']:,} of targets"
    found += f", {counts['unknown_rate']:.2%} unknown"
    if "target_tokens" in counts:
        found += f" and {counts['target_unknown_rate']:.2%} of targets"
    return found + (f", {counts['left_out']:,} left out (keep)" if counts.get("left_out") else "")


def _warn_of_duplicates(name: str, card: dict[str, Any]) -> None:
    """Say where a split shares texts with training, and how to draw one that does not."""
    for split, counts in card["splits"].items():
        rate = counts.get("also_in_training_rate", 0.0)
        if rate < DUPLICATES_TO_WARN_OF:
            continue
        remedy = (
            "to keep each text in one split, set split: {duplicates: together} (instead of groups, "
            "if there are any), or take it out of training: remove: [leakage]"
            if split in card.get("taken_from_train", ()) and "documents" not in card
            else "take them out of one of the two files, or out of training: remove: [leakage]"
        )
        log(
            f"{name}: warning: {rate:.1%} of the {split} split's texts also stand in training, so "
            f"its metrics may be better than on new texts; {remedy}"
        )
