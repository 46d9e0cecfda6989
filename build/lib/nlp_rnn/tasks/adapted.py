"""Metrics of a language model with the adaptations that ``evaluation:`` adds at test time."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn import backend
from nlp_rnn.adaptation.cache import cache_probabilities, hidden_of_text
from nlp_rnn.adaptation.interpolation import best_weight, mixed
from nlp_rnn.arrays import Floats
from nlp_rnn.baselines.n_grams import kneser_ney
from nlp_rnn.config import (
    CacheParameters,
    DynamicEvaluationParameters,
    InterpolationParameters,
)
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.metrics import language_model_metrics
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.language_modelling import LanguageModelling

if TYPE_CHECKING:
    import keras

Figures = dict[str, Any]

SPLITS = ("validation", "test")


def adapted(
    work: LanguageModelling, network: Network, model: Callable[[], keras.Model]
) -> dict[str, Figures]:
    """The test metrics of each option of ``evaluation:``, which differ from the plain ones.

    Settings are chosen on the validation split, and are recorded among the metrics with the
    validation perplexity that decided the choice.

    Args:
        work: the task of a language modelling experiment.
        network: the trained network, which gives the plain probabilities.
        model: loads the same network in Keras, for options that need hidden states or gradients.
            Its weights stay in memory.
    """
    return _Adapted(work, network, model).figures()


class _Adapted:
    """The options of one experiment, which share the plain losses of the splits."""

    def __init__(
        self,
        work: LanguageModelling,
        network: Network,
        model: Callable[[], keras.Model],
    ) -> None:
        self.work = work
        evaluation = work.evaluation
        self.ids = {name: np.asarray(work.dataset.split(name).ids) for name in SPLITS}
        self.end_index = work.dataset.vocabulary.end_index
        if evaluation.interpolation or evaluation.cache:
            self.plain = {name: work.losses_of_tokens(network, name) for name in SPLITS}
        if evaluation.cache or evaluation.dynamic:
            self.model = model()

    def figures(self) -> dict[str, Figures]:
        evaluation = self.work.evaluation
        found = {}
        if evaluation.interpolation:
            name = f"kneser_ney_{evaluation.interpolation.order}"
            found[name] = self._interpolation(evaluation.interpolation)
        if evaluation.cache:
            found["cache"] = self._cache(evaluation.cache)
        if evaluation.dynamic:
            found["dynamic"] = self._dynamic(evaluation.dynamic)
        return found

    def _figures(self, validation: float, test: float, **chosen: float) -> Figures:
        """Metrics from the losses of the two splits, and the settings chosen on the first."""
        characters = self.work.dataset.card["splits"]["test"]["characters"]
        mean = validation / len(self.ids["validation"])
        return {
            **language_model_metrics(test, len(self.ids["test"]), characters),
            "validation_perplexity": math.exp(min(mean, 700)),
            "chosen": chosen,
        }

    def _interpolation(self, parameters: InterpolationParameters) -> Figures:
        ngrams = kneser_ney(self.work.dataset, parameters.order)
        other = {name: ngrams.probabilities(self.ids[name]) for name in SPLITS}
        weight = best_weight(self.plain["validation"], other["validation"])
        losses = (float(mixed(self.plain[name], other[name], weight).sum()) for name in SPLITS)
        return self._figures(*losses, weight=weight)

    def _cache(self, parameters: CacheParameters) -> Figures:
        hidden = {
            name: hidden_of_text(self.model, self.ids[name], self.end_index) for name in SPLITS
        }

        def probabilities(name: str, theta: float) -> Floats:
            plain = np.exp(-self.plain[name])
            return cache_probabilities(hidden[name], self.ids[name], plain, parameters.size, theta)

        def fitted(theta: float) -> tuple[float, float, float]:
            cache, plain = probabilities("validation", theta), self.plain["validation"]
            weight = best_weight(plain, cache)
            return float(mixed(plain, cache, weight).sum()), theta, weight

        validation, theta, weight = min(map(fitted, parameters.thetas))
        test = mixed(self.plain["test"], probabilities("test", theta), weight)
        return self._figures(
            validation, float(test.sum()), size=parameters.size, theta=theta, weight=weight
        )

    def _dynamic(self, parameters: DynamicEvaluationParameters) -> Figures:
        from nlp_rnn.adaptation.dynamic_evaluation import DynamicEvaluation

        backend.deterministic(self.work.seed)
        dynamic = DynamicEvaluation(self.model, parameters)

        def loss(name: str, rate: float, decay: float) -> float:
            return dynamic.loss(self.ids[name], self.end_index, rate, decay)

        validation, rate, decay = min(
            (loss("validation", rate, decay), rate, decay)
            for rate, decay in product(parameters.learning_rates, parameters.decays)
        )
        if math.isinf(validation):
            raise UserError(
                "params.yaml: evaluation.dynamic.learning_rates: the loss became infinite with "
                "each of them; add lower rates, or set evaluation.dynamic.clip_norm"
            )
        return self._figures(
            validation,
            loss("test", rate, decay),
            window=parameters.window,
            learning_rate=rate,
            decay=decay,
        )
