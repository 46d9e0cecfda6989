"""``test_vectors.json``: texts, and what Python makes of them, for the self-test of the page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from nlp_rnn.inference.generation import PromptedModel, Sampling
from nlp_rnn.inference.predictor import LanguageModelPredictor, Options, Predictor
from nlp_rnn.text.writing import joined

TEXTS = (
    "",
    "It wasn't BAD, at all! Don\u2019t ask the dogs\u2019 owner.",
    "3 caf\u00e9s, 4 cafe\u0301s; \uff11\u0663\u00bd \ufb01ne \u0130 \u039f\u0394\u039f\u03a3",
    "snake_case re\u00adad\u200bing\ufeff \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u0915\u094d\u0937\u0947\u0924\u094d\u0930 \u0e01\u200b\u0e02 \u1112\u1161\u11ab \u4f60\u597d",
    "\u2764\ufe0flove \U0001f468\u200d\U0001f469! 1\ufe0f\u20e3 \U0001f1e9\U0001f1ea",
    "\U0001f44d\U0001f3fd <unk><unk> a<unk>\u2581b",
    "one\x00two\u2800three\x1cfour\u0085five\u00a0six\tseven\nThe end",
    "<br />R&amp;D &lt;b&gt; &eacute;t&eacute; &notit; &#x80;&#0;&#128512; AT&T&copy",
    "<script>document.title='PWNED'</script> <img src=x onerror=alert(1)> \u202eright to left",
)
"""Texts on which tokenizers differ: apostrophes, marks, invisible characters, emoji, scripts,
separators, HTML."""

KNOWN = 6
"""The number of texts of words from the model's vocabulary."""

LONGEST = 12
"""The number of words of the longest of them."""

TOLERANCE, INT8_TOLERANCE = 1e-4, 1e-2
"""By how much numbers may differ, of numbers above 1 relatively: the browser adds in another order,
and multiplies 8-bit weights by other instructions."""

GENERATED = 20
"""The number of tokens that a language model generates for each text."""


def vectors(predictor: Predictor) -> dict[str, Any]:
    """What ``test_vectors.json`` holds: of each text its tokens, and what the model predicts."""
    texts = [*TEXTS, *_known(predictor)]
    found = [*_tokens(predictor, texts), *_predictions(predictor, texts)]
    if isinstance(predictor, LanguageModelPredictor):
        found += _generated(predictor, texts)
    tolerance = INT8_TOLERANCE if predictor.bundle.graph.int8 else TOLERANCE
    return {"tolerance": tolerance, "vectors": found}


def _known(predictor: Predictor) -> Iterator[str]:
    """Texts of words of the vocabulary, drawn with a fixed seed."""
    draw, types = random.Random(0), predictor.bundle.vocabulary.types[2:]
    unit = predictor.bundle.tokenizer.parameters.unit
    for number in range(1, KNOWN + 1):
        yield joined(draw.choices(types, k=number * LONGEST // KNOWN), unit)


def _vector(of: str, text: str, options: dict[str, Any], expected: Any) -> dict[str, Any]:
    return {"of": of, "text": text, "options": options, "expected": expected}


def _tokens(predictor: Predictor, texts: list[str]) -> list[dict[str, Any]]:
    tokens = predictor.bundle.tokenizer.tokens
    return [_vector("tokens", text, {}, tokens(text)) for text in texts]


def _predictions(predictor: Predictor, texts: list[str]) -> list[dict[str, Any]]:
    found = []
    for options in _searches(predictor):
        asked = predictor.asked(Options(**options, attention=_attends(predictor), unit="text"))
        # One by one, as the page predicts.
        found += [_vector("predict", text, options, *asked.predict([text])) for text in texts]
    return found


def _searches(predictor: Predictor) -> list[dict[str, Any]]:
    """The options of predictions to compare: of an encoder-decoder, also the greedy search."""
    if predictor.bundle.experiment.task == "sequence_to_sequence":
        return [{}, {"beam": 1}]
    return [{}]


def _attends(predictor: Predictor) -> bool:
    return getattr(predictor.bundle.experiment.model, "attention", None) is not None


def _generated(predictor: LanguageModelPredictor, texts: list[str]) -> list[dict[str, Any]]:
    """Greedy continuations, and such as are drawn with the same numbers."""
    uniforms = np.random.default_rng(0).random(GENERATED).tolist()
    ways = ((Sampling(0.0), True), (Sampling(0.8, 5), False), (Sampling(1.2), True))
    return [
        _vector(
            "generate",
            text,
            {
                "length": GENERATED,
                "temperature": way.temperature,
                "top_k": way.top_k or 0,
                "stop_at_end": stops,
                "uniforms": uniforms,
            },
            _continuation(predictor, text, way, stops),
        )
        for text in texts
        for way, stops in ways
    ]


def _continuation(predictor: LanguageModelPredictor, text: str, way: Sampling, stops: bool) -> str:
    model, generators = PromptedModel(predictor, text), [np.random.default_rng(0)]
    return "".join(piece for (piece,) in model.sample(GENERATED, way, generators, stops))
