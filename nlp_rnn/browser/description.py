"""``model.json``: all that the page must know of a model beside its network."""

from __future__ import annotations

from html.entities import html5
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.config import (
    ClassificationTrainingParameters,
    SequenceToSequenceExperiment,
    TaggerHeadParameters,
    TokenizerParameters,
)
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json
from nlp_rnn.inference.predictor import LanguageModelPredictor, Predictor
from nlp_rnn.runtime.bundle import REMEDY, Bundle
from nlp_rnn.runtime.export import check_has_graph
from nlp_rnn.text.characters import (
    DROPPED,
    PATTERNS,
    PORTABLE,
    WORD_BREAK,
    apostrophe_pattern,
)
from nlp_rnn.text.rules import SUBWORD_SPACE, SubwordTokenizer
from nlp_rnn.text.vocabulary import UNK, Vocabulary

SHOWN = ("classification", "tagging", "language_modelling", "sequence_to_sequence")
"""The tasks that the page has."""


def check_shown(bundle: Bundle) -> None:
    """Raise UserError unless JavaScript can do what Python does with this model."""
    check_has_graph(bundle)
    experiment = bundle.experiment
    if experiment.task not in SHOWN:
        raise UserError(
            f"{bundle.folder}: is a model for {experiment.task}, which the page of --format web "
            "lacks; export it with --format onnx"
        )
    _check_tokenizer(bundle, bundle.tokenizer.parameters)
    if isinstance(experiment, SequenceToSequenceExperiment) and experiment.decoding.well_formed:
        raise UserError(
            f"{bundle.folder}: writes well-formed bracketings (decoding.well_formed), which the "
            "page of --format web cannot search; export it with --format onnx"
        )


def _check_tokenizer(bundle: Bundle, parameters: TokenizerParameters) -> None:
    found = None
    if parameters.rules == 1:
        found = "follows rules 1, those of older versions"
    elif parameters.unit == "subword" and bundle.task.tagged:
        found = "splits words into subwords (unit: subword)"
    elif parameters.unit == "subword" and not _is_bpe(_subwords(bundle.folder)):
        found = f"has settings in {SubwordTokenizer.FILE} that this package never writes"
    if found:
        raise UserError(
            f"{bundle.folder}: its tokenizer {found}, which the page of --format web cannot do; "
            "export it with --format onnx, or train a model with another tokenizer"
        )


def _subwords(folder: Path) -> dict[str, Any]:
    """The file of the library ``tokenizers``."""
    found: dict[str, Any] = read_json(folder / SubwordTokenizer.FILE, REMEDY)
    return found


def _is_bpe(subwords: dict[str, Any]) -> bool:
    """Whether subwords are those of :class:`SubwordTokenizer`, so that the page knows the steps."""
    get, of_model = subwords.get, subwords["model"].get
    space = {"type": "Metaspace", "replacement": SUBWORD_SPACE, "prepend_scheme": "always"}
    return (
        get("pre_tokenizer") == space | {"split": True}
        and not (get("normalizer") or get("post_processor"))
        and [token["content"] for token in get("added_tokens", ())] == [UNK]
        and (of_model("type"), of_model("unk_token"), of_model("fuse_unk")) == ("BPE", UNK, False)
        and not (of_model("continuing_subword_prefix") or of_model("end_of_word_suffix"))
        and not (of_model("byte_fallback") or of_model("ignore_merges"))
        and all(isinstance(pair, list) for pair in of_model("merges"))
    )


def description(predictor: Predictor) -> dict[str, Any]:
    """What ``model.json`` holds of a model that passed :func:`check_shown`."""
    bundle = predictor.bundle
    return {
        "name": bundle.name,
        "task": bundle.experiment.task,
        "gives": "any number of labels of a text" if bundle.multi_label else bundle.task.gives,
        "tokenizer": tokenizer(bundle.tokenizer.parameters, bundle.folder),
        "vocabulary": vocabulary(bundle.vocabulary),
        "temperature": bundle.temperature,
        "labels": bundle.labels,
    } | OF_TASK[bundle.experiment.task](predictor)


def vocabulary(of: Vocabulary) -> dict[str, Any]:
    """The types without their counts, which predictions do not need."""
    return {"types": of.types, "end": of.end}


def tokenizer(parameters: TokenizerParameters, folder: Path) -> dict[str, Any]:
    """The rules of a tokenizer, with the very expressions that Python splits text by.

    Args:
        folder: has the file of subwords, if the tokenizer learned any.
    """
    unit = "word" if parameters.unit == "auto" else parameters.unit
    patterns = {
        "token": PATTERNS["character" if unit == "subword" else unit](PORTABLE),
        "word_break": WORD_BREAK,
        "dropped": DROPPED,
        "apostrophe": apostrophe_pattern(PORTABLE),
    }
    return {
        "unit": unit,
        "lowercase": parameters.lowercase,
        "digits": parameters.digits,
        "unicode": parameters.unicode,
        "patterns": {name: javascript(pattern) for name, pattern in patterns.items()},
        "entities": html5 if parameters.html_breaks else None,
    } | (_learned(_subwords(folder)) if unit == "subword" else {})


def _learned(subwords: dict[str, Any]) -> dict[str, Any]:
    """The characters of subwords, and the pairs that are merged, in order."""
    model = subwords["model"]
    alphabet = [token for token in model["vocab"] if len(token) == 1]
    return {"alphabet": alphabet, "merges": model["merges"]}


def javascript(pattern: str) -> str:
    r"""A pattern as ``new RegExp(pattern, "u")`` reads it, in printable ASCII.

    >>> javascript("(?s:.)[\u00ad]")
    '[^][\\u{ad}]'
    """
    escaped = (c if " " <= c <= "~" else f"\\u{{{ord(c):x}}}" for c in pattern)
    return "".join(escaped).replace("(?s:.)", "[^]")


def _classifier(predictor: Predictor) -> dict[str, Any]:
    bundle, training = predictor.bundle, predictor.bundle.experiment.training
    assert isinstance(training, ClassificationTrainingParameters)
    thresholds = [bundle.thresholds[label] for label in bundle.labels]
    return {
        "max_length": training.max_length,
        "long_texts": training.long_texts,
        "thresholds": thresholds if bundle.multi_label else None,
    }


def _tagger(predictor: Predictor) -> dict[str, Any]:
    bundle, model = predictor.bundle, predictor.bundle.experiment.model
    assert isinstance(model, TaggerHeadParameters) and bundle.characters is not None
    return {
        "entities": bundle.entities,
        "meaning": bundle.learned_tags.meaning.tolist(),
        "characters": vocabulary(bundle.characters),
        "longest": model.longest,
    }


def _language_model(predictor: Predictor) -> dict[str, Any]:
    assert isinstance(predictor, LanguageModelPredictor)
    start = predictor.start or [np.zeros(width) for width in predictor.network.widths]
    return {"start": [state.tolist() for state in start]}


def _encoder_decoder(predictor: Predictor) -> dict[str, Any]:
    bundle, experiment = predictor.bundle, predictor.bundle.experiment
    assert isinstance(experiment, SequenceToSequenceExperiment)
    return {
        "decoding": experiment.decoding.model_dump(),
        "reversed_source": experiment.model.reversed_source,
        "target": {
            "unit": bundle.target_tokenizer.parameters.unit,
            "vocabulary": vocabulary(bundle.target_vocabulary),
        },
    }


OF_TASK = {
    "classification": _classifier,
    "tagging": _tagger,
    "language_modelling": _language_model,
    "sequence_to_sequence": _encoder_decoder,
}
"""What ``model.json`` holds beside, by task."""
