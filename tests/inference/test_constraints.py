"""Searches under a constraint, the penalty for what was not covered, and copied words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers.bundles import write_untrained
from nlp_rnn.config import DecodingParameters
from nlp_rnn.evaluation.brackets import is_tree_over
from nlp_rnn.example import Example
from nlp_rnn.inference.constraints import Bracketing, OneOf
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.inference.translation import Translator, _Writing, coverage
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.network import Source
from nlp_rnn.runtime.pairs import Input
from nlp_rnn.text.vocabulary import UNK_INDEX

TREES = [
    Example(text="the cat sleeps", target="(S (NP XX XX )NP (VP XX )VP )S"),
    Example(text="cats sleep", target="(S (NP XX )NP (VP XX )VP )S"),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("trees")
    return Bundle.open(write_untrained(folder, "sequence_to_sequence", "pairs", TREES, scale=0.5))


def translator(bundle: Bundle, **decoding: Any) -> Translator:
    parameters = DecodingParameters(beam=4, **decoding)
    return Translator(bundle.network(), bundle.target_vocabulary, "whitespace", parameters, 3)


@pytest.mark.slow
def test_bracketings_are_well_formed_and_have_the_words_of_their_source(bundle: Bundle) -> None:
    """Of a network that knows nothing of trees."""
    inputs = [Input(np.array([2, 3, 4, 2][:n], np.int32)) for n in (1, 2, 3, 4)]
    free = translator(bundle, longest_extra=120)
    bound = translator(bundle, longest_extra=120, well_formed=True)
    assert not all(
        is_tree_over(b[0].text, len(x)) for x, b in zip(inputs, free.outputs(inputs), strict=True)
    )
    for source, outputs in zip(inputs, bound.outputs(inputs), strict=True):
        assert is_tree_over(outputs[0].text, len(source)), outputs[0].text


@pytest.mark.slow
def test_a_bracketing_allows_what_may_follow(bundle: Bundle) -> None:
    vocabulary = bundle.target_vocabulary
    constraint = Bracketing(vocabulary)
    state = constraint.start(1)
    for token, following in (
        ("(S", {"(S", "(NP", "(VP", "XX"}),
        ("(NP", {"(S", "(NP", "(VP", "XX"}),
        ("XX", {")NP"}),
        (")NP", {")S"}),
        (")S", {"<eos>"}),
    ):
        state = constraint.after(state, vocabulary.types.index(token))
        assert set(vocabulary.decode(constraint.allowed(state))) == following
    assert constraint.after(constraint.start(1), vocabulary.types.index("XX")) is None


def test_only_allowed_outputs_are_written(bundle: Bundle) -> None:
    allowed = ("(S XX )S", "(NP XX )NP")
    asked = Predictor.of(bundle, Options(n_best=2, beam=4, allowed=allowed))
    for found in asked.predict(["cats sleep", "the cat"]):
        assert {each["output"] for each in found["n_best"]} == set(allowed)


def test_an_allowed_output_is_written_whole_however_long_it_is(bundle: Bundle) -> None:
    allowed = " ".join(["XX"] * 200)
    assert bundle.experiment.decoding.limit(1) < 200  # type: ignore[union-attr]
    (found,) = Predictor.of(bundle, Options(allowed=(allowed,))).predict(["cats"])
    assert found["output"] == allowed


def test_a_trie_ends_where_an_output_ends() -> None:
    constraint = OneOf([[5, 6], [5]], end=2)
    state = constraint.after(constraint.start(1), 5)
    assert sorted(constraint.allowed(state)) == [2, 6]
    assert constraint.after(state, 7) is None
    assert len(constraint.allowed(None)) == 0


def test_the_coverage_penalty_is_wus() -> None:
    """Wu et al. (2016), equation 14, over the real tokens of each source."""
    covered = np.array([[0.5, 1.7, 0.2], [0.3, 0.9, 5.0]])
    source = Source(None, np.array([3, 2], np.int32))
    writing = _Writing(source, np.arange(2), [], covered, [])
    expected = [0.4 * (np.log(0.5) + np.log(0.2)), 0.4 * (np.log(0.3) + np.log(0.9))]
    np.testing.assert_allclose(coverage(writing, 0.4), expected, atol=1e-6)


def test_scores_hold_the_coverage_penalty(bundle: Bundle) -> None:
    inputs = [Input(np.array([2, 3, 4], np.int32))]
    [[plain]] = translator(bundle, longest_extra=5, longest_ratio=0.0).outputs(inputs)
    [[punished]] = translator(
        bundle, longest_extra=5, longest_ratio=0.0, coverage_penalty=1e-9
    ).outputs(inputs)
    assert punished.tokens == plain.tokens
    assert punished.score == pytest.approx(plain.score, abs=1e-6)


def test_an_unknown_word_is_copied_from_where_attention_looked(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing but ``<unk>`` is likely, each step writes the token it looks at most."""
    network = bundle.network()
    decode = network.decode

    def likely_unknown(*arguments: Any) -> Any:
        found = decode(*arguments)
        found.log_probabilities[..., UNK_INDEX] = 0.0
        return found

    monkeypatch.setattr(network, "decode", likely_unknown)
    parameters = DecodingParameters(beam=1, unknown="copy", longest_extra=2, longest_ratio=0.0)
    words = ["Ann", "runs"]
    writer = Translator(network, bundle.target_vocabulary, "whitespace", parameters, 1)
    [[output]] = writer.outputs([Input(np.array([1, 1], np.int32), words=words)])
    assert len(output.text.split()) == 2
    assert set(output.text.split()) <= set(words)
