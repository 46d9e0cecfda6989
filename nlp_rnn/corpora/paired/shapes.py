"""A world of coloured shapes: noisy pictures, sentences that describe them, and questions.

A scene has two coloured shapes side by side or one above the other, in a grid of 2 x 2 cells. Its
picture ``m(s)`` has 8 x 8 pixels of red, green and blue. An example's vector is ``x = m(s) + n``
with independent Gaussian noise ``n``. There are few scenes, so Bayes's rule is exact::

    P(s | x)  ~  P(s) exp(-|x - m(s)|^2 / (2 noise^2))

A caption describes a scene from either shape, with one of two words for each relation::

    P(caption | x) = sum_s P(s | x) P(caption | s)

A question presupposes something, such as that there is only one circle, and so tells of the scene
itself: ``P(s | x, question) ~ P(s | x) P(question | s)``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.corpora.paired.problem import Best, Problem
from nlp_rnn.example import Example

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
"""Colour -> its red, green and blue."""

SHAPES = {
    "square": "#### #### #### ####",
    "circle": ".##. #### #### .##.",
    "triangle": ".... .##. .##. ####",
}
"""Shape -> the rows of its cell."""

CELL = 4
"""The width and height of a cell, in pixels."""

RELATIONS = {
    "left of": (("left of", 0.7), ("beside", 0.3)),
    "right of": (("right of", 0.7), ("beside", 0.3)),
    "above": (("above", 0.6), ("over", 0.4)),
    "below": (("below", 0.6), ("under", 0.4)),
}
"""Relation -> its words, with their probabilities."""

OPPOSITE = {"left of": "right of", "above": "below"}

FIRST_MENTIONED = 0.7
"""The probability that a caption begins with the shape on the left or above."""

DECIMALS = 3
"""Decimals of a vector's numbers, which are far finer than its noise."""


@dataclass(frozen=True)
class Scene:
    """Two coloured shapes and how they stand.

    Attributes:
        first: colour and shape on the left or above.
        second: colour and shape on the right or below.
        relation: ``left of`` or ``above``: of the first to the second.
        line: the row or column of cells in which they stand, 0 or 1.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    relation: str
    line: int

    def picture(self) -> Floats:
        """The picture without noise ``(8 * 8 * 3,)``, 0 or 1."""
        pixels = np.zeros((2, 2, CELL, CELL, 3))
        for place, (colour, shape) in enumerate((self.first, self.second)):
            cell = (self.line, place) if self.relation == "left of" else (place, self.line)
            rows = SHAPES[shape].split()
            mask = np.array([[pixel == "#" for pixel in row] for row in rows], np.float64)
            pixels[cell] = mask[:, :, None] * np.array(COLOURS[colour])
        return pixels.transpose(0, 2, 1, 3, 4).ravel()

    def captions(self) -> Iterator[tuple[str, float]]:
        """Every caption with its probability given the scene; one may come twice."""
        ways = (
            (FIRST_MENTIONED, self.first, self.relation, self.second),
            (1 - FIRST_MENTIONED, self.second, OPPOSITE[self.relation], self.first),
        )
        for p, one, relation, other in ways:
            for words, of_words in RELATIONS[relation]:
                yield f"a {' '.join(one)} {words} a {' '.join(other)}", p * of_words

    def questions(self) -> dict[str, str]:
        """Every question that may be asked about the scene, with its answer."""
        both = (self.first, self.second)
        asked = {"what is in the picture ?": " ".join((*self.first, "and", *self.second))}
        if self.first[1] != self.second[1]:
            asked |= {f"what colour is the {shape} ?": colour for colour, shape in both}
        for colour in COLOURS:
            asked[f"is there a {colour} shape ?"] = _yes(colour in (c for c, _ in both))
        for shape in SHAPES:
            asked[f"how many {shape}s are there ?"] = str([s for _, s in both].count(shape))
        if self.first != self.second:
            for one, relation, other in (
                (both[0], self.relation, both[1]),
                (both[1], OPPOSITE[self.relation], both[0]),
            ):
                asked[f"what is {relation} the {' '.join(other)} ?"] = " ".join(one)
        return asked


def _yes(true: bool) -> str:
    return "yes" if true else "no"


@cache
def scenes() -> tuple[Scene, ...]:
    """All scenes, which are equally probable."""
    things = list(product(COLOURS, SHAPES))
    return tuple(
        Scene(*both, relation, line)
        for both in product(things, things)
        for relation in OPPOSITE
        for line in (0, 1)
    )


@cache
def pictures() -> Floats:
    """The pictures of all scenes without noise ``(scenes, 192)``."""
    return np.stack([scene.picture() for scene in scenes()])


class _Pictures(Problem):
    """A problem about noisy pictures.

    Args:
        noise: the standard deviation of each number of a vector.
    """

    def __init__(self, noise: float) -> None:
        self._noise = noise
        self._tables: dict[str, tuple[list[str], Floats]] = {}

    @abstractmethod
    def _texts(self, scene: Scene) -> Iterator[tuple[str, str, float]]:
        """Every text with its target that may go with a scene, and the probability of both given
        the scene."""

    def draw(self, rng: np.random.Generator, count: int, split: str) -> list[Example]:
        drawn = rng.integers(0, len(scenes()), count)
        return [self._example(rng, int(scene)) for scene in drawn]

    def _example(self, rng: np.random.Generator, scene: int) -> Example:
        texts = list(self._texts(scenes()[scene]))
        text, target, _ = texts[rng.choice(len(texts), p=[p for _, _, p in texts])]
        vector = pictures()[scene] + rng.normal(0, self._noise, pictures().shape[1])
        return Example(text=text, target=target, features=tuple(vector.round(DECIMALS).tolist()))

    def posterior(self, vectors: Floats) -> Floats:
        """``P(scene | vector)`` ``(vectors, scenes)``, before any text was read."""
        # |x - m|^2 without |x|^2, which all scenes share.
        distances = (pictures() ** 2).sum(axis=1) - 2 * vectors @ pictures().T
        logs = -distances / (2 * self._noise**2)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def best(self, examples: Sequence[Example]) -> Best:
        posterior = self.posterior(np.array([example.features for example in examples]))
        by_text: dict[str, list[int]] = {}
        for index, example in enumerate(examples):
            by_text.setdefault(example.text, []).append(index)
        targets = [""] * len(examples)
        probabilities, losses = np.zeros(len(examples)), np.zeros(len(examples))
        for text, indices in by_text.items():
            names, table = self._table(text)
            joint = posterior[indices] @ table
            of_target = joint / joint.sum(axis=1, keepdims=True)
            place = {name: i for i, name in enumerate(names)}
            gold = [place[examples[index].target] for index in indices]
            probabilities[indices] = of_target.max(axis=1)
            losses[indices] = -np.log(of_target[np.arange(len(gold)), gold])
            for index, best in zip(indices, of_target.argmax(axis=1), strict=True):
                targets[index] = names[best]
        return Best(targets, probabilities, losses)

    def _table(self, text: str) -> tuple[list[str], Floats]:
        """The targets of a text, and ``P(text, target | scene)`` ``(scenes, targets)``."""
        if text not in self._tables:
            found: dict[str, Floats] = {}
            for index, scene in enumerate(scenes()):
                for its_text, target, p in self._texts(scene):
                    if its_text == text:
                        found.setdefault(target, np.zeros(len(scenes())))[index] += p
            self._tables[text] = list(found), np.stack(list(found.values()), axis=1)
        return self._tables[text]


class Captions(_Pictures):
    """Sentences that describe pictures."""

    def _texts(self, scene: Scene) -> Iterator[tuple[str, str, float]]:
        for caption, p in scene.captions():
            yield "", caption, p


class Questions(_Pictures):
    """Questions about pictures with their answers; each that may be asked is equally probable."""

    def _texts(self, scene: Scene) -> Iterator[tuple[str, str, float]]:
        asked = scene.questions()
        for question, answer in asked.items():
            yield question, answer, 1 / len(asked)
