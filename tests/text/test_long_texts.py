"""What is kept of a text that is longer than the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from helpers.corpora import prepared, same_everywhere
from nlp_rnn.config import ClassificationTrainingParameters, LongTexts, parse
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.tasks.classification import Classification
from nlp_rnn.text.batches import shortened

PARTS: tuple[LongTexts, ...] = ("head", "tail", "both")


def kept(tokens: list[int], longest: int, part: LongTexts) -> list[int]:
    """One token after the other, from the outside in."""
    tokens, front, back = list(tokens), [], []
    while tokens and len(front) + len(back) < longest:
        from_front = part == "head" or (part == "both" and len(front) == len(back))
        if from_front:
            front.append(tokens.pop(0))
        else:
            back.insert(0, tokens.pop())
    return front + back


@pytest.mark.parametrize("part", PARTS)
def test_the_first_the_last_or_half_of_each_are_kept_in_order(part: LongTexts) -> None:
    for length in range(8):
        tokens = list(range(10, 10 + length))
        assert shortened(np.array(tokens), None, part).tolist() == tokens
        for longest in range(1, 9):
            found = shortened(np.array(tokens), longest, part).tolist()
            expected = tokens if length <= longest else kept(tokens, longest, part)
            assert found == expected, (length, longest)


def section(**training: Any) -> dict[str, Any]:
    return {
        "datasets": {"d": {"source": "tfds", "name": "x", "kind": "labelled"}},
        "experiments": {
            "e": {
                "task": "classification",
                "dataset": "d",
                "embeddings": {"kind": "learned"},
                "model": {},
                "training": training,
            }
        },
    }


@pytest.mark.parametrize("part", PARTS)
def test_training_and_evaluation_see_the_same_part(
    part: LongTexts, tmp_path: Path, reviews: list[Example]
) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("labelled", reviews))
    parameters = parse(section(max_length=3, long_texts=part), tmp_path)
    task = Classification(parameters.experiment("e"), dataset, seed=1)
    split = dataset.split("train")
    whole = [split.sequence(split.ids, i).tolist() for i in range(len(split))]
    expected = [ids if len(ids) <= 3 else kept(ids, 3, part) for ids in whole]
    assert expected != whole
    batches, _ = task.batches(0)
    trained = [row[row > 0].tolist() for batch in batches for row in batch.ids]
    assert sorted(trained) == sorted(expected)
    judged = task.encoded("train", range(len(split)), task.max_length)
    assert [each.ids.tolist() for each in judged] == expected


def test_a_part_without_a_limit_and_of_tagged_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="long_texts: tail needs max_length"):
        ClassificationTrainingParameters(long_texts="tail")
    parameters = section(max_length=3, long_texts="both")
    parameters["datasets"]["d"]["kind"] = "tagged"
    parameters["experiments"]["e"]["task"] = "tagging"
    with pytest.raises(UserError, match="unknown parameter 'long_texts'"):
        parse(parameters, tmp_path)
