"""A synchronous grammar: English sentences, and their translations into an invented language.

A sentence is about nature or about the town, which it does not say. Its rules, source and target
side by side (Lewis & Stearns 1968; Chiang 2007), are ::

    sentence -> time? thing verb thing place? "."     time? thing thing place? verb "."
                                                  or  thing time? thing place? verb "."
    thing    -> article adjective? noun               noun adjective? article
    place    -> preposition thing                     thing preposition

- **Order.** The target has its verb at the end, adjectives after nouns, and postpositions.
- **Agreement.** Each target noun has one of three genders. Its article and adjective agree with it,
  and the verb agrees with the subject in gender and number, across all that stands between.
- **Ambiguity.** ``bank``, ``crane`` or ``seal`` have a translation for each topic, with genders of
  their own. Only other words of the sentence tell the topic, and in some sentences none does.
- **Choice.** A time has two translations, and two places in the target.

So ``P(target | source)`` is a sum over topics of ``P(topic | source)`` times the probabilities of
these choices, and is computed by listing all translations of a source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, prod

import numpy as np

from nlp_rnn.corpora.paired.problem import Best, Problem
from nlp_rnn.example import Example


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TOPICS = ("nature", "town")

AMBIGUOUS = _words("bank bat crane seal spring pool note plant bill trunk mole palm")
NOUNS = {
    "nature": _words("river forest heron otter meadow hill goat lake stone flower swan island"),
    "town": _words("office clerk street engine tower judge market lawyer tram shop teacher hotel"),
    "both": _words("writer nurse pupil friend boy girl dog cat artist stranger cousin visitor"),
}
VERBS = {
    "nature": _words("feeds tracks hunts waters"),
    "town": _words("sells repairs orders rents"),
    "both": _words("sees finds likes draws needs follows remembers describes"),
}
ADJECTIVES = _words("old new small big grey quiet strange heavy pretty round")
PREPOSITIONS = _words("near behind under above with")
TIMES = _words("today now often sometimes later again")
ARTICLES = ("the", "this", "every")
ARTICLES_OF_MANY = ("some", "these", "all")
"""Articles of one thing, and those of several, in the order of their translations."""

NOUN_KINDS = {"ambiguous": 0.35, "topic": 0.3, "both": 0.35}
TOPIC_VERB = 0.3
"""The probability that a verb tells the topic."""
PLURAL = 0.4
ADJECTIVE = 0.3
TIME = 0.5
PLACE = 0.4

TIME_FIRST = 0.8
"""The probability that a time begins the target, rather than follows its subject."""
TIME_WORDS = (0.7, 0.3)
"""The probabilities of the two translations of a time."""

GENDERS = "aoi"
"""The vowel that marks each gender."""


@dataclass(frozen=True)
class Thing:
    """A noun with what belongs to it, on the source side."""

    article: str
    adjective: str
    noun: str
    plural: bool

    def words(self) -> list[str]:
        noun = self.noun + ("s" if self.plural else "")
        return [self.article, *filter(None, [self.adjective]), noun]


@dataclass(frozen=True)
class Sentence:
    """The parts of a source sentence.

    Attributes:
        time: empty if there is none.
        subject: who does what the verb says.
        verb: in the form for one subject.
        object: to what it is done.
        place: a preposition and a thing, or None.
    """

    time: str
    subject: Thing
    verb: str
    object: Thing
    place: tuple[str, Thing] | None

    def words(self) -> list[str]:
        verb = self.verb.removesuffix("s") if self.subject.plural else self.verb
        place = [self.place[0], *self.place[1].words()] if self.place else []
        time = [self.time] if self.time else []
        return [*time, *self.subject.words(), verb, *self.object.words(), *place, "."]

    def things(self) -> list[Thing]:
        return [self.subject, self.object, *([self.place[1]] if self.place else [])]


# --- the target language ----------------------------------------------------------------


def _stems(prefix: str, count: int) -> list[str]:
    """Up to 40 invented stems, which differ from those of other prefixes."""
    endings = [f"{vowel}{consonant}" for vowel in "aeiou" for consonant in "lmnrstvz"]
    return [prefix + endings[7 * i % len(endings)] for i in range(count)]


def _dictionary(words: Sequence[str], prefix: str) -> dict[str, str]:
    return dict(zip(words, _stems(prefix, len(words)), strict=True))


_PLAIN_NOUNS = [*NOUNS["nature"], *NOUNS["town"], *NOUNS["both"]]
_SENSES = [(noun, topic) for topic in TOPICS for noun in AMBIGUOUS]
_NOUN_STEMS = dict(
    zip(
        [*((noun, topic) for topic in TOPICS for noun in _PLAIN_NOUNS), *_SENSES],
        [*2 * _stems("b", len(_PLAIN_NOUNS)), *_stems("k", len(_SENSES))],
        strict=True,
    )
)
"""A noun and the topic -> its stem; only ambiguous nouns differ between topics."""

_VERB_STEMS = _dictionary([verb for verbs in VERBS.values() for verb in verbs], "d")
_ADJECTIVE_STEMS = _dictionary(ADJECTIVES, "f")
_ARTICLE_STEMS = _dictionary([*ARTICLES, *ARTICLES_OF_MANY], "l")
_PREPOSITION_STEMS = _dictionary(PREPOSITIONS, "m")
_TIME_STEMS = {time: (f"{stem}u", f"{stem}e") for time, stem in _dictionary(TIMES, "p").items()}


def _gender(thing: Thing, topic: str) -> str:
    """The gender of a noun, by the last consonant of its stem."""
    return GENDERS["lmnrstvz".index(_NOUN_STEMS[thing.noun, topic][-1]) % len(GENDERS)]


def _translated(thing: Thing, topic: str) -> list[str]:
    gender = _gender(thing, topic)
    adjective = [_ADJECTIVE_STEMS[thing.adjective] + gender] if thing.adjective else []
    return [_NOUN_STEMS[thing.noun, topic], *adjective, _ARTICLE_STEMS[thing.article] + gender]


def _translations(sentence: Sentence, topic: str) -> Iterator[tuple[str, float]]:
    """Every translation of a sentence about a topic, with its probability."""
    subject = _translated(sentence.subject, topic)
    number = "sh" if sentence.subject.plural else ""
    verb = _VERB_STEMS[sentence.verb] + _gender(sentence.subject, topic) + number
    place = []
    if sentence.place:
        preposition, thing = sentence.place
        place = [*_translated(thing, topic), _PREPOSITION_STEMS[preposition]]
    rest = [*_translated(sentence.object, topic), *place, verb, "."]
    if not sentence.time:
        yield " ".join([*subject, *rest]), 1.0
        return
    for time, p in zip(_TIME_STEMS[sentence.time], TIME_WORDS, strict=True):
        yield " ".join([time, *subject, *rest]), p * TIME_FIRST
        yield " ".join([*subject, time, *rest]), p * (1 - TIME_FIRST)


# --- drawing and the best translation ---------------------------------------------------


class Translation(Problem):
    """The translation of sentences of 5 to 13 words."""

    def draw(self, rng: np.random.Generator, count: int, split: str) -> list[Example]:
        return [self._example(rng) for _ in range(count)]

    def _example(self, rng: np.random.Generator) -> Example:
        topic = _one(rng, TOPICS)
        sentence = Sentence(
            time=_one(rng, TIMES) if rng.random() < TIME else "",
            subject=_thing(rng, topic),
            verb=_one(rng, VERBS[topic if rng.random() < TOPIC_VERB else "both"]),
            object=_thing(rng, topic),
            place=(_one(rng, PREPOSITIONS), _thing(rng, topic)) if rng.random() < PLACE else None,
        )
        targets = list(_translations(sentence, topic))
        target, _ = targets[rng.choice(len(targets), p=[p for _, p in targets])]
        return Example(text=" ".join(sentence.words()), target=target)

    def best(self, examples: Sequence[Example]) -> Best:
        targets, probabilities, losses = [], [], []
        for example in examples:
            found = distribution(example.text)
            best = max(found, key=found.__getitem__)
            targets.append(best)
            probabilities.append(found[best])
            losses.append(-log(found[example.target]))
        return Best(targets, np.array(probabilities), np.array(losses))


def distribution(source: str) -> dict[str, float]:
    """``P(target | source)`` of every translation of a source sentence."""
    sentence = parsed(source)
    weights = {topic: _probability(sentence, topic) for topic in TOPICS}
    found: dict[str, float] = {}
    for topic, weight in weights.items():
        if weight:
            for target, p in _translations(sentence, topic):
                found[target] = found.get(target, 0.0) + weight / sum(weights.values()) * p
    return found


def _probability(sentence: Sentence, topic: str) -> float:
    """``P(source | topic)``, up to what does not depend on the topic."""
    verbs = ((VERBS[topic], TOPIC_VERB), (VERBS["both"], 1 - TOPIC_VERB))
    nouns = [_of_classes(thing.noun, _noun_classes(topic)) for thing in sentence.things()]
    return prod([_of_classes(sentence.verb, verbs), *nouns])


WordClasses = tuple[tuple[Sequence[str], float], ...]


def _of_classes(word: str, classes: WordClasses) -> float:
    """The probability of a word, if a class is drawn and then one of its words."""
    return sum(p / len(words) for words, p in classes if word in words)


def _noun_classes(topic: str) -> WordClasses:
    """The classes of nouns in sentences about a topic, with their probabilities."""
    return (
        (AMBIGUOUS, NOUN_KINDS["ambiguous"]),
        (NOUNS[topic], NOUN_KINDS["topic"]),
        (NOUNS["both"], NOUN_KINDS["both"]),
    )


def parsed(source: str) -> Sentence:
    """The parts of a source sentence, which its words tell without ambiguity."""
    words = source.split()
    time = words.pop(0) if words[0] in TIMES else ""
    subject = _take_thing(words)
    verb = words.pop(0)
    patient = _take_thing(words)
    place = (words.pop(0), _take_thing(words)) if words[0] in PREPOSITIONS else None
    return Sentence(time, subject, verb.removesuffix("s") + "s", patient, place)


def _take_thing(words: list[str]) -> Thing:
    """Take the words of a thing from the front."""
    article = words.pop(0)
    adjective = words.pop(0) if words[0] in ADJECTIVES else ""
    plural = article in ARTICLES_OF_MANY
    return Thing(article, adjective, words.pop(0).removesuffix("s" if plural else ""), plural)


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _thing(rng: np.random.Generator, topic: str) -> Thing:
    plural = bool(rng.random() < PLURAL)
    classes = _noun_classes(topic)
    words, _ = classes[int(rng.choice(len(classes), p=[p for _, p in classes]))]
    return Thing(
        article=_one(rng, ARTICLES_OF_MANY if plural else ARTICLES),
        adjective=_one(rng, ADJECTIVES) if rng.random() < ADJECTIVE else "",
        noun=_one(rng, words),
        plural=plural,
    )
