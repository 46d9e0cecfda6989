"""The space of a search, which determines the parameters of each trial.

They depend only on the seed, the trial's number and the trials before it. An interrupted search
therefore resumes exactly without a saved state of its sampler.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn.config import AnyExperiment, Parameters, RangeParameters, SearchParameters, parse
from nlp_rnn.config.parameters import PARAMS_FILE
from nlp_rnn.config.search import number_type, types_of_parameters
from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    import optuna

    from nlp_rnn.search.trials import Trial

DIGITS = 4
"""The number of significant digits of a drawn number, few enough for people to copy."""


class Space:
    """The parameters that a search varies.

    Args:
        search: the keys, their values and the sampler.
        experiment: the experiment whose parameters vary.
        seed: the seed of the draws.
    """

    def __init__(self, search: SearchParameters, experiment: AnyExperiment, seed: int) -> None:
        self.values = search.space
        self.sampler = search.sampler
        self.seed = seed
        self.lower_is_better = experiment.training.select == "loss"
        types = types_of_parameters(experiment)
        self.numbers = {key: number_type(types[key]) for key in self.values}
        self.trials = search.trials or math.prod(
            len(values) for values in self.values.values() if isinstance(values, list)
        )

    def draw(self, number: int, earlier: Sequence[Trial]) -> dict[str, Any]:
        """The parameters of a trial.

        Args:
            number: the number of the trial, from 1.
            earlier: the trials with lower numbers.
        """
        if self.sampler == "grid":
            points = itertools.product(*self.values.values())
            return dict(
                zip(self.values, next(itertools.islice(points, number - 1, None)), strict=True)
            )
        drawn = self.study(earlier, number).ask(self._distributions()).params
        return {key: self._value(key, drawn[key]) for key in self.values}

    def study(self, trials: Sequence[Trial], number: int = 0) -> optuna.Study:
        """An Optuna study of the trials, to draw the next one or to compute importances.

        Args:
            number: the number of the trial to draw.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        sampler = (
            optuna.samplers.TPESampler if self.sampler == "tpe" else optuna.samplers.RandomSampler
        )
        study = optuna.create_study(
            direction="minimize" if self.lower_is_better else "maximize", sampler=sampler(seed=seed)
        )
        for trial in trials:
            if trial.figure is not None:
                study.add_trial(
                    optuna.trial.create_trial(
                        params={k: self._code(k, v) for k, v in trial.parameters.items()},
                        distributions=self._distributions(),
                        value=trial.figure,
                    )
                )
        return study

    def _distributions(self) -> dict[str, optuna.distributions.BaseDistribution]:
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        distributions: dict[str, optuna.distributions.BaseDistribution] = {}
        for key, values in self.values.items():
            if isinstance(values, list):
                distributions[key] = CategoricalDistribution(range(len(values)))
            else:
                numbers: Any = IntDistribution if self.numbers[key] is int else FloatDistribution
                distributions[key] = numbers(*self.ends(key, values), log=values.log)
        return distributions

    def ends(self, key: str, values: RangeParameters) -> tuple[float, float]:
        """Both ends of a range, as whole numbers if the parameter is a whole number."""
        number = self.numbers[key] or float
        return number(values.low), number(values.high)

    def _value(self, key: str, drawn: Any) -> Any:
        """The value of a parameter from Optuna's draw, which is an index into its list or a
        number."""
        values = self.values[key]
        if isinstance(values, list):
            return values[drawn]
        if self.numbers[key] is int:
            return drawn
        return min(max(float(f"{drawn:.{DIGITS}g}"), values.low), values.high)

    def _code(self, key: str, value: Any) -> Any:
        """The inverse of :meth:`_value`."""
        values = self.values[key]
        return values.index(value) if isinstance(values, list) else value


def changed(parameters: Parameters, name: str, values: dict[str, Any]) -> AnyExperiment:
    """The experiment ``name`` with different values at dotted keys.

    Raises:
        UserError: the values are invalid, individually or together.
    """
    data = parameters.model_dump(exclude_unset=True)
    data.pop("search", None)
    for key, value in values.items():
        place, section = data["experiments"][name], parameters.experiment(name)
        *outer, last = key.split(".")
        for part in outer:
            section = getattr(section, part)
            place = place.setdefault(part, section.model_dump(include={"kind"}))
        place[last] = value
    return parse(data, PARAMS_FILE).experiment(name)


def check_values(parameters: Parameters, name: str, space: Space) -> None:
    """Raise UserError unless all values of a search's space and both ends of ranges are valid.

    Args:
        name: the name of the search.

    Raises:
        UserError: a value is invalid whatever the others are.
    """
    search = parameters.search_called(name)
    for key, values in space.values.items():
        full = f"{PARAMS_FILE}: experiments.{search.experiment}.{key}"
        for value in values if isinstance(values, list) else space.ends(key, values):
            try:
                changed(parameters, search.experiment, {key: value})
            except UserError as error:
                if str(error).startswith((f"{full}:", f"{full}.")):
                    message = str(error).removeprefix(full)
                    raise UserError(f"{PARAMS_FILE}: search.{name}.space.{key}{message}") from None
