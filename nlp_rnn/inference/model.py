"""Trained models for use in Python code, as returned by :func:`nlp_rnn.load`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, overload

import numpy as np

from nlp_rnn.errors import UserError
from nlp_rnn.inference import schema
from nlp_rnn.inference.checks import check_whole
from nlp_rnn.inference.inputs import TEXT
from nlp_rnn.inference.items import Item
from nlp_rnn.inference.predictor import LanguageModelPredictor, Options, Prediction, Predictor
from nlp_rnn.inference.reading import Remembered
from nlp_rnn.runtime.bundle import Bundle

if TYPE_CHECKING:
    import pandas as pd

    from nlp_rnn.inference.scoring import By


class Model:
    """A trained model.

    Args:
        bundle: the opened bundle.

    Attributes:
        name: the name of the experiment that trained it.
        task: ``classification``, ``tagging``, ``intents_and_slots``, ``semantic_roles``,
            ``language_modelling`` or ``sequence_to_sequence``.
        labels: labels or tags, most frequent first; empty for tasks without labels.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.name = bundle.name
        self.task = bundle.experiment.task
        self.labels = list(bundle.labels)
        self._predictor = Predictor.of(bundle)

    def __repr__(self) -> str:
        labels = f", {len(self.labels)} labels" if self.labels else ""
        words = f"{len(self.bundle.vocabulary):,} types"
        return f"<{type(self).__name__} {self.name!r}: {self.task}{labels}, {words}>"

    @property
    def columns(self) -> schema.Columns:
        """The keys of a prediction with default options, each with its type."""
        return self._predictor.columns

    @property
    def text_columns(self) -> list[str | int]:
        """The columns that may hold the texts of a table; the first that exists counts.

        They are that of the training data and ``text``.
        """
        return list(dict.fromkeys((Remembered.of(self.bundle).text_column, TEXT)))

    @overload
    def predict(self, texts: str, **options: Any) -> Prediction: ...

    @overload
    def predict(self, texts: Iterable[Item | None], **options: Any) -> list[Prediction]: ...

    def predict(
        self, texts: str | Iterable[Item | None], **options: Any
    ) -> Prediction | list[Prediction]:
        """Predict for one text or many.

        Args:
            texts: a string is one text; a list or any other iterable of strings is several texts.
                Within it, a list of strings is a sentence split into words, and ``None``, as in a
                table with missing values, is an empty text.
            **options: fields of :class:`~nlp_rnn.inference.predictor.Options`: ``n_best``,
                ``review_below``, ``batch_size``, for a tagger ``unit`` and ``language``, and for an
                encoder-decoder ``beam``, ``length_penalty`` and ``attention``.

        Returns:
            One prediction for a string, otherwise a list of predictions in order. A prediction is a
            dictionary that ``json.dumps`` can write, the same as a line that ``nlp-rnn predict``
            writes, but without the text.

        Raises:
            UserError: ``texts`` contains another type, or an option does not fit the model.
        """
        predictor = self._predictor.asked(_options(options))
        if isinstance(texts, str):
            (prediction,) = predictor.predict([texts])
            return prediction
        return list(predictor.predict(_items(texts)))

    def predict_frame(
        self, frame: pd.DataFrame, text_column: str | None = None, **options: Any
    ) -> pd.DataFrame:
        """Predict for the rows of a table.

        Args:
            frame: a table with a column of texts; ``None`` and other missing values are empty
                texts.
            text_column: its name; None takes the column that the model was trained with if the
                table has it, otherwise ``text``.
            **options: see :meth:`predict`.

        Returns:
            ``frame`` with the columns of the predictions appended, and with the same index.

        Raises:
            UserError: there is no such column, or a column has the name of a prediction.
        """
        predictor = self._predictor.asked(_options(options))
        column = frame[self.text_column(frame, text_column)]
        texts = [None if gone else text for text, gone in zip(column, column.isna(), strict=True)]
        if clash := [name for name in predictor.columns if name in frame.columns]:
            raise UserError(
                f"the table has a column '{clash[0]}' already, which the predictions need; rename "
                "or drop it"
            )
        predictions = predictor.predict(_items(texts))
        added = schema.pandas_frame(predictions, predictor.columns, frame.index)
        return frame.join(added) if frame.index.is_unique else _side_by_side(frame, added)

    def text_column(self, frame: pd.DataFrame, given: str | None = None) -> str | int:
        """The column of a table's texts.

        Args:
            given: its name; None takes the first of :attr:`text_columns` in the table.

        Raises:
            UserError: there is no such column.
        """
        if frame.columns.nlevels > 1:
            raise UserError("the table has columns of several levels; give each one name")
        names = self.text_columns if given is None else [given]
        for name in names:
            count = list(frame.columns).count(name)
            if count > 1:
                raise UserError(f"the table has {count} columns '{name}'; rename or remove one")
            if count:
                return name
        raise UserError(
            f"the table has no column '{names[-1]}'; name the column of texts by text_column, one "
            f"of: {', '.join(map(str, frame.columns))}"
        )


def _side_by_side(frame: pd.DataFrame, added: pd.DataFrame) -> pd.DataFrame:
    """Join two tables with equally many rows, whose index may have duplicates."""
    joined = frame.copy()
    for name in added.columns:
        joined[name] = added[name].to_numpy()
    return joined


def _options(given: dict[str, Any]) -> Options:
    try:
        return Options(**given)
    except TypeError:
        known = list(Options.__dataclass_fields__)
        wrong = next(name for name in given if name not in known)
        raise UserError(f"predict has no option '{wrong}'; there are {', '.join(known)}") from None


def _check_prompt(prompt: object, length: object) -> None:
    if not isinstance(prompt, str):
        raise UserError(f"prompt: expected a string, found {type(prompt).__name__}")
    check_whole("length", length)


def _items(texts: Iterable[Item | None]) -> Iterator[Item]:
    if hasattr(texts, "columns"):
        raise UserError("expected an iterable of texts, found a table; use predict_frame")
    if isinstance(texts, (bytes, dict)) or not isinstance(texts, Iterable):
        raise UserError(
            f"expected a text or an iterable of texts, found {type(texts).__name__}; decode bytes "
            "and pass the values of a dictionary"
        )
    for number, text in enumerate(texts):
        words = text.tolist() if isinstance(text, np.ndarray) else text
        if text is None:
            yield ""
        elif isinstance(text, str):
            yield text
        elif isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words):
            yield words
        else:
            raise UserError(
                f"text {number}: expected a string, a list of words or None, found "
                f"{type(text).__name__}"
            )


class Classifier(Model):
    """A model that assigns a label to each text; see :class:`Model`."""


class Tagger(Model):
    """A model that assigns a tag to each word of a text; see :class:`Model`."""


class IntentTagger(Model):
    """A model that gives each text a label and each of its words a tag; see :class:`Model`.

    Attributes:
        intents: the labels of texts, most frequent first; ``labels`` are the tags of words.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.intents = list(bundle.intents)


class RoleTagger(Model):
    """A model that finds the predicates of a text and their arguments; see :class:`Model`."""


class LanguageModel(Model):
    """A model that gives texts probabilities and generates text; see :class:`Model`."""

    _predictor: LanguageModelPredictor

    def score(self, texts: str | Iterable[Item | None]) -> Prediction | list[Prediction]:
        """The probability of every token of one text or many.

        Returns:
            For each text, its ``tokens`` including the end symbol, their ``log_probabilities``
            (nats), ``ranks`` (1 for the most likely) and whether they are ``unknown``.
        """
        from nlp_rnn.inference.scoring import TokenScorer

        scorer = TokenScorer(self.bundle, network=self._predictor.network)
        if isinstance(texts, str):
            (scores,) = scorer.predict([texts])
            return scores
        return list(scorer.predict(_items(texts)))

    def rank(self, texts: Iterable[Item | None], by: By = "total") -> list[Prediction]:
        """Rank texts from the most to the least likely, with texts without tokens last.

        Args:
            by: the ``total`` log-probability of the text, or its ``mean`` over the tokens.

        Returns:
            For each text its ``rank``, the ``text``, and the other columns of ``nlp-rnn rank``.
        """
        from nlp_rnn.inference.scoring import By, Candidates, score_of

        if by not in get_args(By):
            raise UserError(f"by: expected {' or '.join(get_args(By))}, found {by!r}")
        if isinstance(texts, str):
            raise UserError("rank compares several texts; give a list of them")
        items = list(_items(texts))
        found = list(Candidates(self.bundle, network=self._predictor.network).predict(items))
        order = sorted(range(len(items)), key=lambda i: -score_of(found[i], by))
        return [{"rank": rank, "text": items[i], **found[i]} for rank, i in enumerate(order, 1)]

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 100,
        stop_at_end: bool = False,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> str:
        """Continue a prompt by random sampling.

        Args:
            length: the maximum number of tokens to add.
            stop_at_end: whether to stop when the model ends a line.
            temperature: the divisor of the logits; 0 always takes the most likely token.
            top_k: draw from this many most likely tokens.
            top_p: draw from the most likely tokens with this total probability.
            seed: a seed, to get the same text every time.

        Returns:
            The prompt and its continuation.
        """
        from nlp_rnn.inference.generation import PromptedModel, Sampling

        sampling = Sampling(temperature, top_k, top_p, seed=seed)
        _check_prompt(prompt, length)
        (text,) = PromptedModel(self._predictor, prompt).samples(length, sampling, stop_at_end)
        return prompt + text

    def search(
        self,
        prompt: str = "",
        *,
        beam: int = 10,
        n_best: int = 1,
        length: int = 100,
        stop_at_end: bool = True,
        length_penalty: float = 0.6,
    ) -> list[Prediction]:
        """Search for the most likely texts that continue a prompt (beam search).

        Args:
            beam: the number of hypotheses kept at each step.
            n_best: the number of texts to return, at most ``beam``.
            length: the maximum number of tokens to add.
            stop_at_end: whether to end a text when the model ends a line.
            length_penalty: the exponent of Wu et al. (2016): 0 favours short texts.

        Returns:
            The texts, best first, each with ``text``, ``log_probability`` (nats) and ``score``.
        """
        from nlp_rnn.inference.generation import BeamSearch, PromptedModel

        search = BeamSearch(beam, n_best, length_penalty)
        if not 1 <= n_best <= beam:
            raise UserError(f"n_best {n_best}: expected 1 to {beam}, the beam's width")
        _check_prompt(prompt, length)
        found = PromptedModel(self._predictor, prompt).search(length, search, stop_at_end)
        return [
            {"text": text, "log_probability": h.log_probability, "score": h.score}
            for text, h in found
        ]


class EncoderDecoder(Model):
    """A model that writes a target for each source, such as its translation; see :class:`Model`."""


MODELS: dict[str, type[Model]] = {
    "classification": Classifier,
    "tagging": Tagger,
    "intents_and_slots": IntentTagger,
    "semantic_roles": RoleTagger,
    "language_modelling": LanguageModel,
    "sequence_to_sequence": EncoderDecoder,
}


def open_model(folder: Path) -> Model:
    """The model of the bundle in ``folder``; see :func:`nlp_rnn.load`."""
    bundle = Bundle.open(folder)
    return MODELS[bundle.experiment.task](bundle)
