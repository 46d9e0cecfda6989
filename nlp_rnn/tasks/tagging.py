"""Tagging: a tag for every word, such as its part of speech or the entity it belongs to."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from nlp_rnn.baselines.counts import majority_class, most_frequent_tags
from nlp_rnn.evaluation.metrics import tagging_metrics
from nlp_rnn.inference.forward import probabilities
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN, Evaluation
from nlp_rnn.text.vocabulary import UNK_INDEX
from nlp_rnn.training.objective import Objective


class Tagging(ExamplesTask):
    """Fit and judge a tagger. Test sentences are never cut."""

    def objective(self, network: keras.Model) -> Objective:
        return Objective(network)

    def evaluate(self, network: keras.Model) -> Evaluation:
        split, tags = self.dataset.split("test"), self.dataset.labels
        train = self.dataset.split("train")
        if split.labels is None:
            raise ValueError("a tagged data set has tags")
        filled = np.flatnonzero(split.lengths).tolist()
        words = [split.sequence(split.ids, i) for i in filled]
        gold = [split.sequence(split.labels, i) for i in filled]
        known = [np.asarray(sentence != UNK_INDEX) for sentence in words]
        predicted = probabilities(network, words, EVALUATION_BATCH)
        best = [sentence.argmax(axis=1) for sentence in predicted]
        right = [
            sentence[np.arange(len(tag)), tag]
            for sentence, tag in zip(predicted, gold, strict=True)
        ]
        test = tagging_metrics(gold, best, known, tags)
        test["loss"] = float(-np.log(np.maximum(np.concatenate(right), 1e-300)).mean())
        tag_of_word = most_frequent_tags(train, len(self.dataset.vocabulary), len(tags))
        majority = majority_class(train)
        baselines: dict[str, list[NDArray[Any]]] = {
            "majority": [np.full_like(tag, majority) for tag in gold],
            "most_frequent_tag": [tag_of_word[sentence] for sentence in words],
        }
        least = np.array([sentence.min() for sentence in right])
        rank = {filled[i]: int(i) for i in np.argsort(least, kind="stable")[:ERRORS_SHOWN]}
        samples = []
        for number, record in enumerate(split.records()):
            if number not in rank:
                continue
            i = rank[number]
            samples.append(
                {
                    "text": " ".join(
                        word if tags[g] == tags[p] else f"[{word} {tags[g]}→{tags[p]}]"
                        for word, g, p in zip(record["tokens"], gold[i], best[i], strict=True)
                    ),
                    "errors": int((gold[i] != best[i]).sum()),
                    "lowest_probability_of_tag": float(least[i]),
                }
            )
        return Evaluation(
            test,
            {name: tagging_metrics(gold, guess, known, tags) for name, guess in baselines.items()},
            sorted(samples, key=lambda sample: sample["lowest_probability_of_tag"]),
            tags,
            np.concatenate(gold),
            np.concatenate(best),
        )
