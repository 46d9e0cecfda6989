"""Classification: a label for a text, such as its sentiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.baselines.counts import majority_class
from nlp_rnn.evaluation.metrics import classification_metrics
from nlp_rnn.inference.forward import probabilities
from nlp_rnn.inference.network import Network
from nlp_rnn.tasks.examples import EVALUATION_BATCH, ExamplesTask
from nlp_rnn.tasks.task import ERRORS_SHOWN, Evaluation

if TYPE_CHECKING:
    import keras

    from nlp_rnn.training.objective import Objective


class Classification(ExamplesTask):
    """Fit and judge a classifier."""

    def objective(self, network: keras.Model) -> Objective:
        from nlp_rnn.training.objective import Objective

        return Objective(network)

    def evaluate(self, network: Network) -> Evaluation:
        split, labels = self.dataset.split("test"), self.dataset.labels
        texts = self.encoded("test", range(len(split)), self.max_length)
        predicted = np.stack(list(probabilities(network, texts, EVALUATION_BATCH)))
        gold = np.array(split.labels)
        best = predicted.argmax(axis=1)
        right = predicted[np.arange(len(gold)), gold]
        test = classification_metrics(gold, best, labels)
        test["loss"] = float(-np.log(np.maximum(right, 1e-300)).mean())
        majority = np.full_like(gold, majority_class(self.dataset.split("train")))
        worst = np.argsort(right, kind="stable")[:ERRORS_SHOWN]
        rank = {int(i): position for position, i in enumerate(worst)}
        samples = [
            {
                "rank": rank[i] + 1,
                "text": record["text"],
                "label": labels[gold[i]],
                "predicted": labels[best[i]],
                "correct": bool(gold[i] == best[i]),
                "probability_of_label": float(right[i]),
            }
            for i, record in enumerate(split.records())
            if i in rank
        ]
        return Evaluation(
            test,
            {"majority": classification_metrics(gold, majority, labels)},
            sorted(samples, key=lambda sample: sample["rank"]),
            labels,
            gold,
            best,
        )
