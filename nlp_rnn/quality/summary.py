"""The summary of the checks of a data set, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SCRIPTS_SHOWN = 4


def in_words(summary: Mapping[str, Any]) -> list[str]:
    """The lines that the command prints."""
    lines = [f"{summary['dataset']}: {_each(summary['examples'])}"]
    return lines + [f"  {line}" for line in _lines(summary)]


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    if "duplicates" in summary:
        yield from _copies(summary)
    else:
        yield "duplicates: not looked for, because lines of running text naturally recur"
    if "label_errors" in summary:
        yield f"probable label errors: {_label_errors(summary['label_errors'])}"
    for place, found in summary["drift"].items():
        yield f"{place} against training: {_drift(found)}"
    found = summary["characters"]
    shown = list(found["scripts_of_training"].items())[:SCRIPTS_SHOWN]
    yield f"scripts of training: {', '.join(f'{name} {share:.1%}' for name, share in shown)}"
    yield from _characters(found["texts"])


def _copies(summary: Mapping[str, Any]) -> Iterator[str]:
    contradictions, near = summary["contradictions"], summary["near_duplicates"]
    yield f"duplicates within a split: {_each(summary['duplicates'])}"
    yield f"texts that also stand in training (leakage): {_each(summary['leakage'])}"
    yield (
        f"texts with several labels (contradictions): {contradictions['texts']:,}, "
        f"examples of them: {contradictions['examples']:,}"
    )
    yield (
        f"groups of near duplicates (similarity {near['similarity']:g} or more): "
        f"{near['groups']:,}, across splits: {near['groups_across_splits']:,}, "
        f"examples of them: {near['examples']:,}"
    )


def _label_errors(found: Mapping[str, Any]) -> str:
    rare = found["labels_with_too_few_texts"]
    without = f"; not judged, for they have too few texts: {', '.join(rare)}" if rare else ""
    if "found" not in found:
        return f"not looked for{without}"
    accuracy = f"a baseline of accuracy {found['accuracy']:.1%} contradicts these labels"
    return f"{_each(found['found'])} ({accuracy}){without}"


def _drift(found: Mapping[str, Any]) -> str:
    parts = []
    if labels := found.get("labels"):
        p = f" (p = {labels['p']:.2g})" if "p" in labels else ""
        parts.append(f"labels differ by {labels['total_variation']:.1%}{p}")
    lengths = found["lengths"]
    parts.append(
        f"median length {lengths['median']:g} instead of {lengths['median_in_training']:g} "
        f"(distance {lengths['distance']:.3f}, p = {lengths['p']:.2g})"
    )
    return "; ".join([*parts, f"{found['unknown_rate']:.2%} unknown tokens"])


def _characters(texts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    said = {
        "broken": "with broken characters",
        "unknown": "with characters that training lacks",
        "script": "in a script that training lacks",
    }
    for kind, what in said.items():
        counts = {place: found[kind] for place, found in texts.items() if kind in found}
        yield f"texts {what}: {_each(counts)}"


def _each(counts: Mapping[str, int]) -> str:
    """Counts of splits in words."""
    return ", ".join(f"{count:,} in {place}" for place, count in counts.items()) or "none"
