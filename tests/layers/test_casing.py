"""The casing of words: against a definition on strings, on every backend, through a bundle."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from helpers.backends import assert_all_agree
from nlp_rnn.layers.casing import CASINGS, Casing
from nlp_rnn.text.spelling import character_vocabulary, spell

WORDS = {
    "1984": "digits",
    "7": "digits",
    "1,000": "mainly digits",
    "12a": "mainly digits",
    "MP3": "some digits",
    "1st": "some digits",
    "a1": "some digits",
    "...": "no case",
    "你好": "no case",
    "the": "lower case",
    "don't": "lower case",
    "élan": "lower case",
    "NASA": "capitals",
    "U.S.": "capitals",
    "A": "capitals",
    "The": "initial capital",
    "Łódź": "initial capital",
    "iPhone": "mixed",
    "O'Brien": "mixed",
    "'Tis": "mixed",
}
LONGEST = 9


def casing_of(word: str) -> str:
    """The same in terms of strings."""
    digits = sum(c.isdigit() for c in word)
    if digits:
        if digits == len(word):
            return "digits"
        return "mainly digits" if digits > len(word) / 2 else "some digits"
    if not (word.islower() or word.isupper() or any(c.isupper() for c in word)):
        return "no case"
    if word.islower():
        return "lower case"
    if word.isupper():
        return "capitals"
    return "initial capital" if word[0].isupper() and word[1:].islower() else "mixed"


def casings(words: list[str], known: list[str] | None = None) -> list[str]:
    """By a layer that knows the characters of ``known``."""
    characters = character_vocabulary(known or words)
    ids = spell(words, characters, LONGEST)[None]
    found = ops.convert_to_numpy(Casing(characters.types, 4).classes(ids))
    return [CASINGS[i] for i in found[0]]


def test_every_class_has_the_words_that_its_name_says() -> None:
    assert dict(zip(WORDS, casings(list(WORDS)), strict=True)) == WORDS
    assert set(WORDS.values()) == set(CASINGS)


def test_random_words_are_of_the_class_that_the_strings_say() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abABéÉ12-."), rng.integers(1, 7))) for _ in range(2000)]
    assert casings(words) == [casing_of(word) for word in words]


def test_a_character_that_training_lacks_has_no_case() -> None:
    assert casings(["Éa", "É", "É1"], ["aA1"]) == ["lower case", "no case", "some digits"]


def test_a_long_word_is_judged_by_its_ends() -> None:
    word = "A" + "b" * (2 * LONGEST)
    assert casings([word, word + "C"]) == ["initial capital", "mixed"]


def test_other_words_and_padding_change_no_vector(tmp_path: Path) -> None:
    characters = character_vocabulary(WORDS)
    ids = keras.Input((None, None), dtype="int32")
    network = keras.Model(ids, Casing(characters.types, 4)(ids))
    assert network.output_shape == (None, None, 4)
    together = spell(list(WORDS), characters, 12)[None]
    expected = ops.convert_to_numpy(network(together))
    network.save(tmp_path / "network.keras")
    reloaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(reloaded(together)), expected)
    for i, word in enumerate(WORDS):
        alone = ops.convert_to_numpy(network(spell([word], characters, len(word))[None]))
        np.testing.assert_array_equal(alone[0, 0], expected[0, i])


def test_words_of_one_class_share_a_vector_and_others_do_not() -> None:
    characters = character_vocabulary(WORDS)
    layer = Casing(characters.types, 4)
    vectors = ops.convert_to_numpy(layer(spell(list(WORDS), characters, LONGEST)[None]))[0]
    same = (vectors[:, None] == vectors).all(axis=-1)
    classes = np.array(list(WORDS.values()))
    np.testing.assert_array_equal(same, classes[:, None] == classes)


def computed() -> dict[str, np.ndarray]:
    characters = character_vocabulary(WORDS)
    ids = keras.Input((None, None), dtype="int32")
    layer = Casing(characters.types, 4)
    network = keras.Model(ids, layer(ids))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(size=w.shape) for w in network.get_weights()])
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    words = spell(list(WORDS), characters, LONGEST)[None]
    network.train_on_batch(words, rng.normal(size=(1, len(WORDS), 4)).astype(np.float32))
    return {
        "classes": ops.convert_to_numpy(layer.classes(words)),
        "vectors": network.get_weights()[0],
    }


def test_every_installed_backend_computes_and_learns_the_same(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
    names = [CASINGS[i] for i in on_backends["tensorflow"]["classes"][0]]
    assert names == list(WORDS.values())


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_classes_are_counted_exactly_under_every_policy(policy: str) -> None:
    characters = character_vocabulary(WORDS)
    layer = Casing(characters.types, 4, dtype=policy)
    ids = spell(list(WORDS), characters, LONGEST)[None]
    found = ops.convert_to_numpy(layer.classes(ids))[0]
    assert [CASINGS[i] for i in found] == list(WORDS.values())
    assert layer(ids).dtype == layer.compute_dtype
