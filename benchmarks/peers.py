"""Run another library's tagger on a text file: ``peers.py PEER INPUT OUTPUT``.

It imports nothing of this project, so that the interpreter of any environment can run it.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

PEERS: dict[str, list[str]] = {
    "spacy-tagger": ["parser", "ner", "lemmatizer", "attribute_ruler"],
    "spacy-pipeline": [],
}
"""The components left out of spaCy's first installed English pipeline."""


def tag(input: str, output: str, without: list[str]) -> None:
    """Write the words and tags of each line as JSON, using all processors."""
    spacy = import_module("spacy")
    name = next(name for name in spacy.util.get_installed_models() if name.startswith("en"))
    pipeline, processes = spacy.load(name, exclude=without), len(os.sched_getaffinity(0))
    with open(input, encoding="utf-8") as lines, open(output, "w", encoding="utf-8") as records:
        for document in pipeline.pipe((line.strip() for line in lines), n_process=processes):
            words = [(word.text, word.tag_) for word in document]
            print(json.dumps(words, ensure_ascii=False), file=records)


if __name__ == "__main__":
    tag(sys.argv[2], sys.argv[3], PEERS[sys.argv[1]])
