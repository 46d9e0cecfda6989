"""What a user's files hold, said in words."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from nlp_rnn.config.data import RECORD_FORMATS, SPACED_FORMATS, TABLES
from nlp_rnn.example import Kind
from nlp_rnn.projects.formats import parts
from nlp_rnn.projects.look import OWN_SHARES, Counts, Sight, quantile
from nlp_rnn.text.annotated import said_of_documents, said_of_spans

UNITS: dict[Kind, str] = {
    "labelled": "labelled text",
    "tagged": "tagged sentence",
    "joint": "sentence",
    "roles": "sentence",
    "pairs": "pair",
    "text": "line",
}


def described(sight: Sight) -> list[str]:
    """What the files hold, a line for each thing."""
    counts = sight.counts
    files = [path for _, path in parts(sight.files)]
    named = " and ".join(files[:3] if len(files) == 3 else files[:2])
    more = f" and {len(files) - 2} more" if len(files) > 3 else ""
    lines = [f"{named}{more}: {', '.join([sight.format, *_read_as(sight)])}"]
    lines.append(
        f"examples: {counts.total:,} {UNITS[sight.kind]}{'s' * (counts.total != 1)}"
        + (f" ({_split_sizes(sight)})" if len(sight.splits) > 1 else "")
    )
    if sight.kind == "labelled":
        lines.append(f"labels: {_labels_in_words(counts)}")
    if sight.kind == "joint":
        lines.append(f"labels: {_balance(counts.intents)}")
    if sight.kind == "roles":
        lines.append(
            f"roles: {counts.predicates:,} predicates with {counts.labels.total():,} arguments: "
            f"{_balance(counts.labels)}"
        )
    elif sight.scheme:
        types = Counter({t[2:]: n for t, n in counts.labels.items() if t.startswith("B-")})
        lines.append(
            f"tags: {types.total():,} entities in the scheme {sight.scheme}: {_balance(types)}"
        )
    elif sight.kind in ("tagged", "joint"):
        lines.append(f"tags: classes of words, no entities: {_balance(counts.labels)}")
    if counts.unseen_tags:
        lines.append(f"tags that the training split lacks: {counts.unseen_tags}")
    if sight.spans:
        lines.append(f"spans: {said_of_spans(sight.spans)}")
    if sight.documents:
        lines.append(f"documents: {said_of_documents(sight.documents)}")
    lines += _lengths(sight)
    lines.append(f"scripts: {_shares(counts.scripts + counts.target_scripts)}")
    if sight.kind != "text":
        lines.append(f"duplicates: {_duplicates(sight)}")
    if sight.lacking:
        shares = " and ".join(f"{OWN_SHARES[split]:.0%} for {split}" for split in sight.lacking)
        lines.append(f"splits: {shares} will be taken from the training data")
    return lines


def _read_as(sight: Sight) -> Iterator[str]:
    reading = sight.reading
    if sight.format in ("csv", "tsv"):
        delimiter = reading.get("delimiter", "," if sight.format == "csv" else "\t")
        yield "separated by " + ("tabs" if delimiter == "\t" else f"'{delimiter}'")
        yield "with a header" if "header" not in reading else "without a header"
    if sight.kind == "tagged" and sight.format in RECORD_FORMATS:
        yield f"words in column {reading['text_column']!r}, tags in {reading['tag_column']!r}"
    if "target_column" in reading:
        of_context = "".join(f"{name!r}, then " for name in reading.get("context_columns", ()))
        columns = f"{of_context}{reading['text_column']!r}"
        yield f"source in column {columns}, target in {reading['target_column']!r}"
    elif sight.format in TABLES and reading.keys() & {"label_column", "label_columns"}:
        yield f"text in column {reading['text_column']!r}, {_labels_read_as(reading)}"
    if sight.format == "conll":
        tag = reading.get("tag_column", "the last one")
        yield f"words in column {reading.get('word_column', 0)} (counted from 0), tags in {tag}"
    if sight.format == "conllu":
        yield f"tags from {reading.get('tag_column', 'upos')}"


def _labels_read_as(reading: Mapping[str, Any]) -> str:
    if "label_columns" in reading:
        return f"{len(reading['label_columns'])} labels in a column each"
    if "label_separator" in reading:
        return f"labels in {reading['label_column']!r} with '{reading['label_separator']}' between"
    return f"label in {reading['label_column']!r}"


def _labels_in_words(counts: Counts) -> str:
    """How many texts have each label."""
    if not counts.multi_label:
        return _balance(counts.labels)
    mean, none = counts.labels.total() / counts.total, counts.without_label
    return (
        f"any number for a text, {mean:.1f} on average, none for {none / counts.total:.0%}; "
        f"{len(counts.labels)} in all: {_balance(counts.labels)}"
    )


def _split_sizes(sight: Sight) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in sight.counts.examples.items())


def _balance(labels: Counter[str], most: int = 6) -> str:
    """The most frequent labels with their shares."""
    total = labels.total()
    shown = [f"{label} {count / total:.0%}" for label, count in labels.most_common(most)]
    if len(labels) > most:
        rarest, count = labels.most_common()[-1]
        shown.append(f"… {len(labels)} in all, the rarest {rarest} ({count:,} times)")
    return ", ".join(shown)


def _lengths(sight: Sight) -> Iterator[str]:
    counts = sight.counts
    unit = _unit(sight, sight.tokenizer)
    if sight.kind == "text":
        characters = f", {counts.characters:,} characters" if unit == "words" else ""
        yield f"length: {counts.tokens:,} {unit}{characters}, {counts.types:,} different {unit}"
        return
    if sight.kind == "pairs":
        yield f"lengths of sources: {_quantiles(counts.lengths)} {unit}"
        yield (
            f"lengths of targets: {_quantiles(counts.target_lengths)} "
            f"{_unit(sight, sight.target or sight.tokenizer)}"
        )
        return
    yield f"lengths: {_quantiles(counts.lengths)} {unit}; {counts.types:,} different ones"


def _unit(sight: Sight, tokenizer: Mapping[str, Any]) -> str:
    if sight.format in SPACED_FORMATS:
        return "tokens"
    return "characters" if tokenizer.get("unit") == "character" else "words"


def _quantiles(lengths: array[int]) -> str:
    half, most, all_of_them = (quantile(lengths, share) for share in (0.5, 0.95, 1))
    return f"half of them at most {half}, 95% at most {most}, the longest {all_of_them}"


def _shares(scripts: Counter[str]) -> str:
    total = scripts.total()
    shown = [
        f"{script.title() if script != 'CJK' else script} {count / total:.0%}"
        for script, count in scripts.most_common(4)
        if count * 100 >= total
    ]
    return ", ".join(shown) or "no letters"


def _duplicates(sight: Sight) -> str:
    counts = sight.counts
    if not counts.duplicates:
        return "none"
    found = f"{counts.duplicates:,} ({counts.duplicates / counts.total:.1%})"
    if sight.lacking:
        with_what = (
            "each kept with its document"
            if sight.documents
            else "kept in one split with their first"
        )
        found += f", {with_what}"
    if counts.conflicting:
        found += f"; {counts.conflicting:,} of them have another label than their first"
    return found
