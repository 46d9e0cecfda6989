"""``search:`` of ``params.yaml``: which parameters of an experiment are varied, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from nlp_rnn.config.embeddings import GivenEmbeddings
from nlp_rnn.config.experiment import AnyExperiment
from nlp_rnn.config.section import Section, impossible, nearest
from nlp_rnn.errors import UserError

_SAME_FOR_ALL = (
    "task",
    "dataset",
    "evaluation",
    "training.select",
    "training.seeds",
    "training.keep",
)


class RangeParameters(Section, title="Range"):
    """Numbers from ``low`` to ``high``; whole ones where the parameter is whole."""

    low: float
    """The lowest number, which may be drawn too."""
    high: float
    """The highest number, which may be drawn too."""
    log: bool = False
    """Whether numbers are drawn evenly on a logarithmic scale: for what is varied by factors, as
    learning rates are."""

    @model_validator(mode="after")
    def _is_a_range(self) -> RangeParameters:
        if self.low >= self.high:
            raise impossible(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and self.low <= 0:
            raise impossible(f"log needs low above 0, not {self.low:g}")
        return self


Values = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("list")]
    | Annotated[RangeParameters, Tag("range")],
    Discriminator(
        lambda value: "range" if isinstance(value, Mapping | RangeParameters) else "list"
    ),
]


class SearchParameters(Section, title="Search"):
    """Trainings of one experiment with other parameters, compared on the validation split."""

    experiment: str
    """The experiment whose parameters are varied."""
    sampler: Literal["grid", "random", "tpe"] = "tpe"
    """How trials are chosen. ``grid`` takes all combinations, ``random`` draws at random (Bergstra
    & Bengio 2012), and ``tpe`` draws near what was good so far (tree-structured Parzen estimator,
    Bergstra et al. 2011)."""
    trials: int | None = Field(default=None, gt=0)
    """How many trials there are; more can be asked for later. It is ``null`` for a grid, which has
    as many as combinations."""
    space: dict[str, Values] = Field(min_length=1)
    """Dotted keys of the experiment, such as ``model.units``, each with a list of values or a
    range."""

    @model_validator(mode="after")
    def _sampler_fits(self) -> SearchParameters:
        grid = self.sampler == "grid"
        if grid and self.trials is not None:
            raise impossible("a grid has as many trials as combinations; leave trials out")
        if not grid and self.trials is None:
            raise impossible(f"sampler: {self.sampler} needs trials, how many")
        for key, values in self.space.items():
            if grid and isinstance(values, RangeParameters):
                raise impossible(f"space.{key}: a grid needs a list of values, not a range")
            if within := next((k for k in self.space if k.startswith(f"{key}.")), None):
                raise impossible(f"space.{within}: is part of {key}; leave one of them out")
        return self


def check_space(search: SearchParameters, experiment: AnyExperiment, where: str) -> None:
    """Raise UserError unless the keys of a space are parameters that may be varied.

    Args:
        where: the file and key of the search, for messages.

    Raises:
        UserError: one of them is not.
    """
    known = types_of_parameters(experiment)
    for key, values in search.space.items():
        if key == "embeddings" or (key.startswith("embeddings.") and key not in known):
            raise UserError(
                f"{where}.space.{key}: all trials start from the vectors that stage embed wrote; "
                "make a second experiment for others"
            )
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _SAME_FOR_ALL):
            raise UserError(f"{where}.space.{key}: is the same for all trials; leave it out")
        if key not in known:
            raise UserError(f"{where}.space: unknown parameter '{key}'; {nearest(key, known)}")
        if isinstance(values, RangeParameters):
            number = number_type(known[key])
            if number is None:
                raise UserError(f"{where}.space.{key}: is no number; give a list of values")
            if number is int and not (values.low.is_integer() and values.high.is_integer()):
                raise UserError(f"{where}.space.{key}: is whole, so low and high have to be")


def types_of_parameters(experiment: AnyExperiment) -> dict[str, Any]:
    """The dotted key of each parameter that may be varied, and the type of its values."""
    types = _types(experiment.model, "model") | _types(experiment.training, "training")
    if isinstance(experiment.embeddings, GivenEmbeddings):
        # The one that leaves the initial vectors as they are.
        types["embeddings.trainable"] = bool
    return {key: type_ for key, type_ in types.items() if key not in _SAME_FOR_ALL}


def _types(section: Section, prefix: str) -> dict[str, Any]:
    types: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        key, value = f"{prefix}.{name}", getattr(section, name)
        types[key] = field.annotation
        if isinstance(value, Section):
            types |= _types(value, key)
    return types


def number_type(annotation: Any) -> type[int] | type[float] | None:
    """Whether a parameter's values are numbers, and of which kind."""
    types = {annotation, *get_args(annotation)}
    return float if float in types else int if int in types else None
