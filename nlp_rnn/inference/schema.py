"""The schema of predictions: their columns, and the type of each in every format.

A type is a Python annotation: ``str``, ``int``, ``float``, ``bool``, ``list[...]``,
``dict[str, ...]`` or a :class:`~typing.TypedDict`. From it follow the Arrow types for Parquet, the
MLflow types for the signature of a logged model, and the columns of pandas. They depend on the task
and the options, never on the texts: a sentence without entities has an empty list of entities.

The probabilities of labels are a mapping in every format, not a record with a field per label. A
label may be any string, but Parquet readers such as Spark and DuckDB reject or confuse fields with
a dot, an empty name or names that differ only in case. Tables of different classifiers also get the
same schema.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from mlflow.types.schema import Array, DataType, Map, Object

Columns = Mapping[str, Any]
"""The columns of a prediction, in order, each with its type."""


# --- columns ------------------------------------------------------------------------


class Entity(TypedDict):
    """A span of words; its offsets count the characters of the raw text.

    ``probability`` is that of exactly this entity (see :mod:`nlp_rnn.runtime.entities`).
    """

    type: str
    start: int
    end: int
    text: str
    probability: float


class Argument(TypedDict):
    """A phrase with its role; ``C-ARG1`` continues the nearest ``ARG1`` before it."""

    role: str
    start: int
    end: int
    text: str


class Predicate(TypedDict):
    """A predicate and its arguments; offsets count the characters of the raw text. ``frame`` is
    its most frequent sense in training, null if it was never a predicate there."""

    text: str
    start: int
    end: int
    frame: str | None
    probability: float
    arguments: list[Argument]


class Sentence(TypedDict):
    """A sentence of a document; its offsets count the characters of the document. ``tokens`` is
    how many of the document's tokens are in it."""

    start: int
    end: int
    tokens: int


class TagSequence(TypedDict):
    """One of the most likely tag sequences of a sentence."""

    tags: list[str]
    probability: float


class Output(TypedDict):
    """One of the best targets of a source."""

    output: str
    log_probability: float
    score: float


class Alignment(TypedDict):
    """The weights of attention: a list for each token of the output, over those of the source."""

    source: list[str]
    output: list[str]
    weights: list[list[float]]


REVIEW: Columns = {"review": bool}


def of_classifier(review: bool) -> Columns:
    """The columns of a classifier, with or without marks for review."""
    return {
        "label": str,
        "probability": float,
        **(REVIEW if review else {}),
        "probabilities": dict[str, float],
    }


def of_label_sets(review: bool) -> Columns:
    """The columns of a classifier that gives any number of labels; see :func:`of_classifier`."""
    return {
        "labels": list[str],
        **(REVIEW if review else {}),
        "probabilities": dict[str, float],
    }


def of_tagger(review: bool, n_best: bool, entities: bool) -> Columns:
    """The columns of a tagger.

    Args:
        review: whether marks for review are requested.
        n_best: whether several tag sequences are requested.
        entities: whether the tags mark entities.
    """
    return {
        "tokens": list[str],
        "tags": list[str],
        "probabilities": list[float],
        **(REVIEW if review else {}),
        **({"n_best": list[TagSequence]} if n_best else {}),
        **({"entities": list[Entity]} if entities else {}),
    }


def of_intents_and_slots(review: bool, n_best: bool, entities: bool) -> Columns:
    """The columns of a classifier, then those of a tagger, whose ``probabilities`` are
    ``tag_probabilities``; see :func:`of_tagger`."""
    of_words = {
        "tag_probabilities" if name == "probabilities" else name: type_
        for name, type_ in of_tagger(False, n_best, entities).items()
    }
    return {**of_classifier(review), **of_words}


def of_documents(columns: Columns) -> Columns:
    """The columns of a tagger of documents, given those of the same tagger of sentences."""
    return {**columns, "sentences": list[Sentence]}


def of_roles(review: bool) -> Columns:
    """The columns of a model of semantic roles, with or without marks for review."""
    return {
        "tokens": list[str],
        **(REVIEW if review else {}),
        "predicates": list[Predicate],
    }


def of_encoder_decoder(n_best: bool, attention: bool) -> Columns:
    """The columns of an encoder-decoder.

    Args:
        n_best: whether several targets are requested.
        attention: whether the weights of attention are requested.
    """
    return {
        "output": str,
        "log_probability": float,
        "score": float,
        **({"n_best": list[Output]} if n_best else {}),
        **({"attention": Alignment} if attention else {}),
    }


LANGUAGE_MODEL: Columns = {"log_probability": float, "tokens": int, "perplexity": float}

TOKEN_SCORES: Columns = {
    "tokens": list[str],
    "log_probabilities": list[float],
    "ranks": list[int],
    "unknown": list[bool],
}
"""The columns of a language model for all tokens of a text."""

SCORED_TOKEN: Columns = {
    "text": int,
    "position": int,
    "token": str,
    "log_probability": float,
    "bits": float,
    "rank": int,
    "unknown": bool,
}
"""The columns of ``nlp-rnn score``."""

CANDIDATE: Columns = {**LANGUAGE_MODEL, "unknown": list[str]}
"""The columns of ``nlp-rnn rank``."""


def holds_floats(type_: Any) -> bool:
    """Whether a value of this type may be, or contain, NaN.

    >>> holds_floats(list[TagSequence]), holds_floats(list[str])
    (True, False)
    """
    inner = _fields(type_).values() if is_typeddict(type_) else get_args(type_)
    return type_ is float or any(map(holds_floats, inner))


# --- types of formats ---------------------------------------------------------------


def arrow_type(type_: Any) -> pa.DataType:
    """A column's type in Parquet.

    >>> arrow_type(dict[str, float])
    MapType(map<string, double>)
    """
    import pyarrow as pa

    type_ = _given(type_)
    if is_typeddict(type_):
        return pa.struct([(key, arrow_type(value)) for key, value in _fields(type_).items()])
    if get_origin(type_) is list:
        return pa.list_(arrow_type(get_args(type_)[0]))
    if get_origin(type_) is dict:
        return pa.map_(pa.string(), arrow_type(get_args(type_)[1]))
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[type_]


def mlflow_type(type_: Any) -> Array | Object | Map | DataType:
    """A column's type in the signature of an MLflow model."""
    from mlflow.types.schema import Array, DataType, Map, Object, Property

    if is_typeddict(type_):
        fields = _fields(type_).items()
        return Object(
            [Property(key, mlflow_type(value), value == _given(value)) for key, value in fields]
        )
    if get_origin(type_) is list:
        return Array(mlflow_type(get_args(type_)[0]))
    if get_origin(type_) is dict:
        return Map(mlflow_type(get_args(type_)[1]))
    type_ = _given(type_)
    known = {str: "string", int: "long", float: "double", bool: "boolean"}
    return DataType[known[type_]]


def _given(type_: Any) -> Any:
    """The type of a value that may also be null."""
    kinds = get_args(type_)
    return next(kind for kind in kinds if kind is not NoneType) if NoneType in kinds else type_


def _fields(record: Any) -> Mapping[str, Any]:
    return get_type_hints(record)


def pandas_frame(
    predictions: Iterable[Mapping[str, Any]], columns: Columns, index: pd.Index | None = None
) -> pd.DataFrame:
    """Predictions as a pandas table, whose cells hold lists and mappings unchanged.

    Args:
        index: the index of the table; None numbers the rows.
    """
    import pandas as pd

    rows = list(predictions)
    index = pd.RangeIndex(len(rows)) if index is None else index
    values = {name: [row[name] for row in rows] for name in columns}
    series = {
        name: pd.Series(values[name], index, _pandas_type(type_, values[name]))
        for name, type_ in columns.items()
    }
    return pd.DataFrame(series, index)


def _pandas_type(type_: Any, values: list[Any]) -> Any:
    """The type of a column; one with nulls, which would become NaN, holds Python objects."""
    return type_ if type_ in (str, int, float, bool) and None not in values else object


# --- values -------------------------------------------------------------------------


def finite(value: Any) -> Any:
    """``value`` with null for NaN and infinity, as in all file formats and HTTP."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(member) for member in value]
    return value
