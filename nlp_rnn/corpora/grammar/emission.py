"""The emissions of an automaton's state: words of a class, or spelt names.

P(word | class) is exact for every string: a class is a mixture of a multinomial over listed words
and, for classes of names, a letter model whose spellings parse in only one way.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nlp_rnn.arrays import Floats


def zipf(size: int, exponent: float = 0.8, shift: float = 2.0) -> Floats:
    """Zipf-Mandelbrot probabilities of ranks 0 .. size - 1: (rank + shift) ** -exponent, scaled."""
    weights = (np.arange(size) + shift) ** -exponent
    probabilities: Floats = weights / weights.sum()
    return probabilities


@dataclass(frozen=True)
class LetterModel:
    """A spelling model of names: (onset nucleus) repeated, then a coda; first letter a capital.

    Onsets are made of consonants and never empty, nuclei are made of vowels and never empty,
    codas are made of consonants and may be empty. Consonants and vowels share no letter, so a
    string splits into onsets, nuclei and a coda in one way at most and its probability is one
    product: P(number of syllables) * prod P(onset) P(nucleus) * P(coda).

    Attributes:
        syllables: P(1 syllable), P(2 syllables), ...; sums to 1.
        onsets: onset -> probability; sums to 1.
        nuclei: nucleus -> probability; sums to 1.
        codas: coda -> probability; sums to 1.

    Raises:
        ValueError: a distribution does not sum to 1, or a letter is both vowel and consonant.
    """

    syllables: tuple[float, ...]
    onsets: Mapping[str, float]
    nuclei: Mapping[str, float]
    codas: Mapping[str, float]
    _shape: re.Pattern[str] = field(init=False, repr=False)
    _syllable: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the distributions and build the pattern that parses a spelling."""
        consonants = set("".join(self.onsets) + "".join(self.codas))
        vowels = set("".join(self.nuclei))
        if consonants & vowels:
            raise ValueError(f"letters {sorted(consonants & vowels)} are vowel and consonant")
        if "" in self.onsets or "" in self.nuclei:
            raise ValueError("an onset or a nucleus is empty, so that spellings are ambiguous")
        parts = (self.syllables, self.onsets.values(), self.nuclei.values(), self.codas.values())
        for part in parts:
            if abs(sum(part) - 1.0) > 1e-9:
                raise ValueError(f"probabilities of the letter model sum to {sum(part)}, not 1")
        onset, nucleus = (f"[{''.join(sorted(letters))}]" for letters in (consonants, vowels))
        object.__setattr__(self, "_shape", re.compile(f"((?:{onset}+{nucleus}+)+)({onset}*)"))
        object.__setattr__(self, "_syllable", re.compile(f"({onset}+)({nucleus}+)"))

    def probability(self, word: str) -> float:
        """P(word) under the model; 0 for a string that it cannot spell."""
        match = self._shape.fullmatch(word.lower())
        if match is None or word != word.capitalize():
            return 0.0
        syllables = self._syllable.findall(match.group(1))
        if len(syllables) > len(self.syllables):
            return 0.0
        p = self.syllables[len(syllables) - 1] * self.codas.get(match.group(2), 0.0)
        for onset, nucleus in syllables:
            p *= self.onsets.get(onset, 0.0) * self.nuclei.get(nucleus, 0.0)
        return p

    def spell(self, count: int, rng: np.random.Generator) -> list[str]:
        """``count`` independent names."""
        lengths = 1 + rng.choice(len(self.syllables), size=count, p=self.syllables)
        total = int(lengths.sum())
        onsets, nuclei = _draw(self.onsets, total, rng), _draw(self.nuclei, total, rng)
        codas = _draw(self.codas, count, rng)
        ends = np.cumsum(lengths)
        return [
            "".join(o + n for o, n in zip(onsets[a:b], nuclei[a:b], strict=True)).capitalize()
            + coda
            for a, b, coda in zip(ends - lengths, ends, codas, strict=True)
        ]


def _draw(distribution: Mapping[str, float], count: int, rng: np.random.Generator) -> list[str]:
    choices = rng.choice(len(distribution), size=count, p=list(distribution.values()))
    strings = list(distribution)
    return [strings[i] for i in choices]


@dataclass(frozen=True)
class WordClass:
    """An emission class: P(w | class) = (1 - fresh) * listed(w) + fresh * letters(w).

    Attributes:
        words: the listed words, most probable first, none twice.
        probabilities: the probabilities of the listed words, shape (len(words),), which sum to 1.
        letters: spells the words that are not taken from the list.
        fresh: probability that a word is spelt rather than taken from the list.
    """

    words: tuple[str, ...]
    probabilities: Floats
    letters: LetterModel | None = None
    fresh: float = 0.0

    @classmethod
    def zipfian(
        cls,
        words: Sequence[str],
        exponent: float = 0.8,
        letters: LetterModel | None = None,
        fresh: float = 0.0,
    ) -> "WordClass":
        """A class whose listed words have Zipf-like probabilities in the order of the list."""
        unique = tuple(dict.fromkeys(words))
        return cls(unique, zipf(len(unique), exponent), letters, fresh)

    def probability(self, word: str) -> float:
        """P(word | class), summed over the two ways to produce it."""
        listed = self._listed.get(word, 0.0)
        if self.letters is None:
            return listed
        return (1.0 - self.fresh) * listed + self.fresh * self.letters.probability(word)

    def unknown(self, vocabulary: Collection[str]) -> float:
        """P(<unk> | class) = 1 - sum of P(w | class) over the words of ``vocabulary``."""
        known = (
            vocabulary
            if self.letters is not None
            else (word for word in self.words if word in vocabulary)
        )
        # A set has another order in each process, so the sum must not depend on it.
        p = 1.0 - math.fsum(map(self.probability, known))
        # If the vocabulary covers the class, rounding leaves a few units in the last place.
        return p if p > 1e-12 else 0.0

    @cached_property
    def _listed(self) -> dict[str, float]:
        return dict(zip(self.words, self.probabilities.tolist(), strict=True))
