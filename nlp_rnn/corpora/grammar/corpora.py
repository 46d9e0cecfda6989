"""The built-in corpora: their examples, and the best result that any model can reach."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from math import exp, log
from typing import Literal

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Kind

from . import grammars
from .automaton import END, Automaton, compile_grammar
from .inference import Forward, chain_log_likelihood, forward, observe, tag_marginals, viterbi
from .lexicon import lexicon
from .sampling import sample

Unit = Literal["word", "character"]

KINDS: dict[str, Kind] = {
    "reviews": "labelled",
    "parts_of_speech": "tagged",
    "entities": "tagged",
    "text": "text",
    "skewed_reviews": "labelled",
}
CORPORA = tuple(KINDS)
_RULES = {
    "reviews": grammars.REVIEWS,
    "parts_of_speech": grammars.PARTS_OF_SPEECH,
    "entities": grammars.ENTITIES,
    "text": grammars.TEXT,
    "skewed_reviews": grammars.SKEWED_REVIEWS,
}


@lru_cache(maxsize=len(CORPORA))
def automaton(corpus: str) -> Automaton:
    """The compiled grammar of a corpus.

    Raises:
        UserError: there is no such corpus.
    """
    if corpus not in KINDS:
        nearest = get_close_matches(corpus, CORPORA, n=1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise UserError(
            f"corpus '{corpus}' is not built in: expected one of {', '.join(CORPORA)}{hint}"
        )
    return compile_grammar(_RULES[corpus], lexicon())


def generate(corpus: str, size: int, seed: int, split: str = "train") -> Iterator[Example]:
    """Generate the examples of one split of a built-in corpus.

    The same arguments give the same examples; splits use independent random streams of the seed. A
    running text of a different size is a different text, not an extension.

    Args:
        corpus: one of ``CORPORA``.
        size: number of reviews, sentences or lines.
        seed: non-negative seed.
        split: one of ``SPLITS``.

    Raises:
        UserError: an unknown corpus or split, a size below 1 or a negative seed.
    """
    grammar = automaton(corpus)
    if size < 1:
        raise UserError(f"size {size} of corpus '{corpus}': expected a whole number above 0")
    if seed < 0:
        raise UserError(f"seed {seed} of corpus '{corpus}': expected a whole number, 0 or above")
    if split not in SPLITS:
        raise UserError(f"split '{split}' of corpus '{corpus}': expected {', '.join(SPLITS)}")
    stream = np.random.SeedSequence([seed, SPLITS.index(split), CORPORA.index(corpus)])
    drawn = sample(grammar, size, np.random.default_rng(stream))
    kind = KINDS[corpus]

    def examples() -> Iterator[Example]:
        for words, tags, label in zip(drawn.words, drawn.tags, drawn.labels, strict=True):
            if kind == "tagged":
                # The grammar writes a space after every word, even before a full stop.
                spaced = (True,) * len(words)
                yield Example(tokens=tuple(words), tags=tuple(tags), space_after=spaced)
            elif kind == "labelled":
                yield Example(text=" ".join(words), label=label)
            else:
                yield Example(text=" ".join(words))

    return examples()


def optimum(
    corpus: str,
    examples: Sequence[Example],
    vocabulary: Collection[str] | None = None,
    unit: Unit = "word",
) -> dict[str, float]:
    """Score the model that knows the grammar, which no model can beat on average.

    Args:
        corpus: one of ``CORPORA``.
        examples: examples of that corpus; for ``text``, consecutive lines.
        vocabulary: the words that a model can distinguish; all others are <unk>, in its input and
            (for ``text``) in its predictions; None means every word.
        unit: for ``text``, the unit of perplexity. Characters have no <unk>: with "character",
            ``vocabulary`` is not used.

    Returns:
        ``reviews`` and ``skewed_reviews``: accuracy, f1 (macro, of the decisions that are expected
        to have the highest), expected_accuracy (mean posterior of the best label) and loss (mean
        -log posterior of the observed label, nats). ``parts_of_speech`` and
        ``entities``: accuracies over tokens, where each tag is the most probable one given the
        whole sentence, and two losses in nats per token: word_loss, the mean of -log P(tag |
        sentence), for models that give each token a distribution, and sequence_loss, from -log
        P(all tags | sentence), for models that give whole sequences one. f1 only for ``entities``:
        the F1 of exact spans and types in the Viterbi sequence. ``text``: loss (nats) and
        perplexity per token, tokens (including one <eos> or newline per line), bits_per_character
        (including newlines).

    Raises:
        UserError: an unknown corpus, no examples, or an example that the grammar cannot produce.
    """
    grammar = automaton(corpus)
    if unit not in ("word", "character"):
        raise UserError(f"unit '{unit}' of corpus '{corpus}': expected word or character")
    if not examples:
        raise UserError(f"corpus '{corpus}': there are no examples to score")
    if KINDS[corpus] == "labelled":
        return _label_optimum(corpus, grammar, examples, vocabulary)
    if KINDS[corpus] == "tagged":
        return _tag_optimum(corpus, grammar, examples, vocabulary)
    return _text_optimum(corpus, grammar, examples, vocabulary if unit == "word" else None, unit)


def word_classes() -> dict[str, set[str]]:
    """Lexicon class -> its listed words (fresh names, which are spelt, are not listed)."""
    return {name: set(word_class.words) for name, word_class in lexicon().items()}


def classes_of_words(corpus: str) -> dict[str, str]:
    """The words that only one lexicon class of ``corpus`` emits, each with that class.

    Classes of one word, such as those of commas, are left out.
    """
    emitted = {frozenset(word_class.words) for word_class in automaton(corpus).classes}
    # If one class has two names (the plural present tense is the base form), the first counts.
    names = {frozenset(words): name for name, words in reversed(word_classes().items())}
    classes = {names[words]: words for words in emitted if len(words) > 1 and words in names}
    times = Counter(word for words in classes.values() for word in words)
    return {
        word: name for name in sorted(classes) for word in sorted(classes[name]) if times[word] == 1
    }


def label_posteriors(
    corpus: str, examples: Sequence[Example], vocabulary: Collection[str] | None = None
) -> tuple[tuple[str, ...], Floats]:
    """The labels of a labelled corpus, and P(observed label | text), shape (N, K).

    Raises:
        UserError: an unknown corpus, or an example that the grammar cannot produce.
    """
    grammar = automaton(corpus)
    sentences = [example.text.split() for example in examples]
    scored = _scored(corpus, forward(grammar, observe(grammar, sentences, vocabulary)))
    given_text = np.exp(scored.log_joint - scored.log_likelihood[:, None])
    return grammar.starts, given_text @ grammar.label_given_start


def _label_optimum(
    corpus: str,
    grammar: Automaton,
    examples: Sequence[Example],
    vocabulary: Collection[str] | None,
) -> dict[str, float]:
    labels, posterior = label_posteriors(corpus, examples, vocabulary)
    observed = _indices(corpus, labels, [example.label for example in examples])
    best = posterior.argmax(axis=1)
    decided = _decisions_for_f1(posterior[:, 1])
    scores = []
    for label in range(len(labels)):
        hits = np.sum((decided == label) & (observed == label))
        scores.append(2.0 * hits / max(np.sum(decided == label) + np.sum(observed == label), 1))
    return {
        "accuracy": float(np.mean(best == observed)),
        "f1": float(np.mean(scores)),
        "expected_accuracy": float(posterior.max(axis=1).mean()),
        "loss": float(-np.log(posterior[np.arange(len(observed)), observed]).mean()),
    }


def _decisions_for_f1(p: Floats) -> np.ndarray:
    """Which texts to give the second of two labels, for the highest expected macro-F1.

    The expected F1 of a label, 2 E[right] / (predicted + E[gold]), depends on how many texts get
    it, and the most probable ones must be among them (Lipton et al. 2014).

    Args:
        p: P(second label | text), shape (N,).

    Returns:
        0 or 1 for each text, shape (N,).
    """
    order = np.argsort(-p, kind="stable")
    second = np.arange(len(p) + 1)  # texts that get the second label
    right = np.concatenate([[0.0], np.cumsum(p[order])])
    right_first = np.concatenate([np.cumsum((1 - p[order])[::-1])[::-1], [0.0]])
    f1 = 2 * right / (second + p.sum())
    f1_first = 2 * right_first / (len(p) - second + (1 - p).sum())
    decisions = np.zeros(len(p), int)
    decisions[order[: np.argmax(f1 + f1_first)]] = 1
    return decisions


def _tag_optimum(
    corpus: str,
    grammar: Automaton,
    examples: Sequence[Example],
    vocabulary: Collection[str] | None,
) -> dict[str, float]:
    sentences = [example.tokens for example in examples]
    observed = observe(grammar, sentences, vocabulary)
    scored = _scored(corpus, forward(grammar, observed))
    marginals = np.stack(tag_marginals(grammar, observed, scored), axis=1)
    inside = np.arange(marginals.shape[1]) < np.array([len(s) for s in sentences])[:, None]
    p = marginals[inside]  # (words, tags), sentence after sentence
    gold = _indices(corpus, grammar.tags, list(chain.from_iterable(e.tags for e in examples)))
    padded = np.full(inside.shape, grammar.tags.index(END))
    padded[inside] = gold
    together = _scored(corpus, forward(grammar, observed, padded))
    of_tags = together.log_likelihood - scored.log_likelihood
    result = {
        "accuracy": float(np.mean(p.argmax(axis=1) == gold)),
        "expected_accuracy": float(p.max(axis=1).mean()),
        "word_loss": float(-np.log(p[np.arange(len(gold)), gold]).mean()),
        "sequence_loss": float(-of_tags.sum() / len(gold)),
    }
    if corpus == "entities":
        best = grammar.tag_given_state.argmax(axis=1)
        paths = viterbi(grammar, observed)
        decoded = [[grammar.tags[best[state]] for state in path] for path in paths]
        result["f1"] = entity_f1([example.tags for example in examples], decoded)
    return result


def _text_optimum(
    corpus: str,
    grammar: Automaton,
    examples: Sequence[Example],
    vocabulary: Collection[str] | None,
    unit: Unit,
) -> dict[str, float]:
    sentences = [example.text.split() for example in examples]
    scored = _scored(corpus, forward(grammar, observe(grammar, sentences, vocabulary)))
    nats = -chain_log_likelihood(grammar, scored.log_joint - np.log(grammar.prior))
    characters = sum(len(example.text) + 1 for example in examples)
    words = sum(len(sentence) + 1 for sentence in sentences)
    tokens = words if unit == "word" else characters
    return {
        "perplexity": exp(nats / tokens),
        "loss": nats / tokens,
        "bits_per_character": nats / log(2.0) / characters,
        "tokens": float(tokens),
    }


def entity_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """The micro-averaged F1 of entities in BIO tags: spans and types must both be right."""
    wanted, found, shared = 0, 0, 0
    for true, guess in zip(gold, predicted, strict=True):
        true_spans, guessed_spans = set(entities(true)), set(entities(guess))
        wanted += len(true_spans)
        found += len(guessed_spans)
        shared += len(true_spans & guessed_spans)
    return 2.0 * shared / (wanted + found) if wanted + found else 1.0


def entities(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """The (start, end, type) of each B-type tag and the I-type tags that continue it."""
    start, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        prefix, _, name = tag.partition("-")
        if kind and not (prefix == "I" and name == kind):
            yield start, position, kind
            kind = ""
        if prefix == "B":
            start, kind = position, name


def _scored(corpus: str, scored: Forward) -> Forward:
    impossible = np.flatnonzero(np.isneginf(scored.log_likelihood))
    if len(impossible):
        raise UserError(
            f"example {impossible[0] + 1} cannot be produced by the grammar of corpus '{corpus}'"
            f"; score examples as returned by 'generate'"
        )
    return scored


def _indices(corpus: str, names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    index = {name: i for i, name in enumerate(names)}
    for name in wanted:
        if name not in index:
            raise UserError(f"'{name}' is not a label or tag of corpus '{corpus}'")
    return np.array([index[name] for name in wanted])
