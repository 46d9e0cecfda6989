"""``start_from:`` of an experiment: the trained model that it goes on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from nlp_rnn.config.section import Section, impossible
from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    from nlp_rnn.config.experiment import AnyExperiment

TASKS = ("classification", "tagging", "language_modelling")
"""The tasks whose models can start from another one."""

MAY_DIFFER = (
    *("dropout", "embedding_dropout", "input_dropout", "output_dropout", "recurrent_dropout"),
    *("variational", "weight_drop", "zoneout", "monte_carlo_samples"),
    *("activation_regularization", "temporal_activation_regularization", "norm_stabilizer"),
    *("vanishing_gradient_penalty", "forget_bias", "recurrent_initializer", "samples"),
)
"""Keys of ``model`` that change neither the shapes of weights nor what is computed from them when
predicting."""


class RehearsalParameters(Section, title="Rehearsal"):
    """Old examples that are read again beside the new ones, so that they are not forgotten
    (Robins 1995). They are drawn once and read in every epoch."""

    share: float | None = Field(default=None, gt=0, lt=1)
    """The share of old examples among all that an epoch reads; for language models, of tokens.
    Either this or ``examples``."""
    examples: int | None = Field(default=None, gt=0)
    """How many old examples are read; for language models, lines of text."""

    @model_validator(mode="after")
    def _one_of_them(self) -> RehearsalParameters:
        if (self.share is None) == (self.examples is None):
            raise impossible("give either share or examples")
        return self


class StartParameters(Section, title="Start"):
    """The trained model whose weights an experiment takes over."""

    model: str
    """The name of another experiment of the project, or the folder of a bundle, with a ``/`` in
    its path, such as ``./imported/reviews``."""
    dataset: str | None = None
    """A data set of the project with the old examples: the model is measured on it before and after
    training. ``null`` is the data set of ``model``, if that is an experiment, or none."""
    rehearse: RehearsalParameters | None = None
    """How many of the old examples are read again; ``null`` reads none."""

    @property
    def is_folder(self) -> bool:
        """Whether ``model`` is a folder, rather than an experiment."""
        return "/" in self.model

    @property
    def folder(self) -> str:
        """The folder of the bundle."""
        return self.model if self.is_folder else f"models/{self.model}"


def _by_model(value: Any) -> Any:
    """``start_from: reviews`` is short for ``start_from: {model: reviews}``."""
    return {"model": value} if isinstance(value, str) else value


Start = Annotated[
    StartParameters, BeforeValidator(_by_model, json_schema_input_type=str | StartParameters)
]


def check_start(experiment: AnyExperiment, source: AnyExperiment, key: str, where: str) -> None:
    """Raise UserError unless an experiment's network can take over the weights of another one.

    Args:
        source: the experiment that trained them.
        key: the experiment's place in ``params.yaml``, for messages.
        where: what the weights are called there.
    """
    if experiment.task != source.task:
        raise UserError(
            f"{key}.start_from: {where} is a model for {source.task}, not {experiment.task}; "
            "name another one"
        )
    own, other = experiment.embeddings.dimension, source.embeddings.dimension
    if own != other:
        raise UserError(
            f"{key}.embeddings.dimension: {own}, but {where}, which start_from names, has {other}; "
            f"set it to {other}"
        )
    mine, theirs = experiment.model.model_dump(), source.model.model_dump()
    if (first := next(_differences(mine, theirs), None)) is not None:
        name, value, given = first
        raise UserError(
            f"{key}.model.{name}: {_written(value)}, but {where}, which start_from names, has "
            f"{_written(given)}; set it to that"
        )


def _differences(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], within: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """The keys on which weights depend and that differ, with both values."""
    for name in dict.fromkeys([*mine, *theirs]):
        own, other = mine.get(name), theirs.get(name)
        if own == other or name in MAY_DIFFER:
            continue
        if isinstance(own, Mapping) and isinstance(other, Mapping):
            yield from _differences(own, other, f"{within}{name}.")
        else:
            yield f"{within}{name}", own, other


def _written(value: Any) -> str:
    """A value as YAML has it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(each)}" for key, each in value.items()) + "}"
    return {None: "null", True: "true", False: "false"}.get(value, str(value))
