"""A picture of the roles of sentences: a page of HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from nlp_rnn.files import whole_file
from nlp_rnn.web import policy, visible

STYLE = """
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; margin: 2rem; }
table { border-collapse: separate; border-spacing: 2px; display: block; margin: 1.5rem 0;
        overflow-x: auto; }
th, td { font-weight: normal; padding: .1rem .4rem; text-align: center; white-space: nowrap; }
th { text-align: left; opacity: .7; }
.V { outline: 2px solid; }
.ARG0 { background: #4c8bf566; } .ARG1 { background: #f5a64c66; } .ARG2 { background: #4cc97f66; }
.ARGM { background: #a86cf566; } .other { background: #8886; }
"""

COLOURED = ("ARG0", "ARG1", "ARG2", "ARGM")
SENTENCES_SHOWN = 30


def write_role_page(file: Path, sentences: Sequence[Mapping[str, Any]], title: str) -> None:
    """Write the roles of sentences, the gold ones above those that a model found from the words.

    Args:
        sentences: ``words``, and ``gold`` and ``found`` as in
            :func:`~nlp_rnn.evaluation.roles.role_rows`.
    """
    tables = "\n".join("\n".join(_table(sentence)) for sentence in sentences)
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="{policy(STYLE)}">
<style>{STYLE}</style></head>
<body><h1>{escape(title)}</h1>
<p>For each predicate, outlined, its arguments in the data (gold) and as the model found them from
the words alone (model).</p>
{tables}
</body></html>
"""
    with whole_file(file) as partial:
        partial.write_text(page, encoding="utf-8")


def _table(sentence: Mapping[str, Any]) -> Iterator[str]:
    """A sentence with two rows for each predicate that either side has."""
    words = sentence["words"]
    cells = "".join(f"<td>{escape(visible(word))}</td>" for word in words)
    yield f"<table><tr><th></th>{cells}</tr>"
    sides = {"gold": dict(sentence["gold"]), "model": dict(sentence["found"])}
    for predicate in sorted({*sides["gold"], *sides["model"]}):
        for side, propositions in sides.items():
            tags = propositions.get(predicate)
            row = f'<td colspan="{len(words)}">no predicate</td>' if tags is None else _row(tags)
            yield f"<tr><th>{side}</th>{row}</tr>"
    yield "</table>"


def _row(tags: Sequence[str]) -> str:
    """The cells of a proposition, each as wide as its argument."""
    starts = (i if not tag.startswith("I-") else None for i, tag in enumerate(tags))
    latest, spans = 0, []
    for start, tag in zip(starts, tags, strict=True):
        latest = latest if start is None else start
        spans.append((latest, tag[2:]))
    return "".join(_cell(role, len(list(same))) for (_, role), same in groupby(spans))


def _cell(role: str, words: int) -> str:
    if not role:
        return "<td></td>" * words
    kind = role.removeprefix("C-").removeprefix("R-").partition("-")[0]
    shown = kind if kind in (*COLOURED, "V") else "other"
    return f'<td class="{shown}" colspan="{words}">{escape(visible(role))}</td>'
