"""The built-in corpora: exact inference against brute force, and the corpora's promises."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise, product
from math import exp, log

import numpy as np
import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from nlp_rnn.corpora.grammar import (
    CORPORA,
    KINDS,
    Automaton,
    GrammarError,
    automaton,
    compile_grammar,
    generate,
    label_posteriors,
    optimum,
    word_classes,
)
from nlp_rnn.corpora.grammar.corpora import _decisions_for_f1, entities, entity_f1
from nlp_rnn.corpora.grammar.emission import LetterModel, WordClass, zipf
from nlp_rnn.corpora.grammar.inference import (
    chain_log_likelihood,
    forward,
    observe,
    tag_marginals,
    viterbi,
)
from nlp_rnn.corpora.grammar.inflection import participle, past, plural
from nlp_rnn.corpora.grammar.lexicon import letter_model, lexicon
from nlp_rnn.corpora.grammar.sampling import sample
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

pytestmark = pytest.mark.slow

# Two labels, agreement, an optional item, a word of two tags, a noisy annotator.
RULES = """
feature label = 3 good | 1 bad
feature num = 2 sg | 1 pl
start line[label]
persist 0.6
noise N = V 0.1
noise good = bad 0.2

line[label] -> 3 subject[label, num] verb[num] | 1 "no" line_end[~label]
line_end[label] -> <noun.label.sg>/N "!"?0.5
subject[label, num] -> "the"/D "old"/A?0.3 <noun.label.num>/N
verb[num] -> 2 <verb.num>/V | 1 <verb.num>/V <noun.good.pl>/N
"""
LEXICON = {
    "noun.good.sg": WordClass(("fish", "deal"), np.array([0.7, 0.3])),
    "noun.good.pl": WordClass(("deals", "fish"), np.array([0.6, 0.4])),
    "noun.bad.sg": WordClass(("mess", "fish"), np.array([0.8, 0.2])),
    "noun.bad.pl": WordClass(("fish",), np.ones(1)),
    "verb.sg": WordClass(("deals", "smells"), np.array([0.5, 0.5])),
    "verb.pl": WordClass(("deal", "fish"), np.array([0.5, 0.5])),
}


@pytest.fixture(scope="module")
def tiny() -> Automaton:
    return compile_grammar(RULES, LEXICON)


def paths(grammar: Automaton) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Every state sequence that reaches an end state, with its probability."""
    a = grammar.transitions.toarray()
    first_end = grammar.states - len(grammar.starts)
    stack: list[tuple[float, tuple[int, ...]]]
    stack = [(p, (i,)) for i, p in enumerate(grammar.initial) if p > 0]
    while stack:
        p, path = stack.pop()
        if path[-1] >= first_end:
            yield p, path
            continue
        stack += [(p * q, (*path, j)) for j, q in enumerate(a[path[-1]]) if q > 0]


def derivations(
    grammar: Automaton,
) -> dict[tuple[str, ...], list[tuple[float, tuple[int, ...]]]]:
    """Brute force: every sentence with all its state sequences and their joint probabilities."""
    found: dict[tuple[str, ...], list[tuple[float, tuple[int, ...]]]] = defaultdict(list)
    for p, path in paths(grammar):
        classes = [grammar.classes[grammar.class_of[state]] for state in path[:-1]]
        for words in product(*(c.words for c in classes)):
            joint = p
            for word, word_class in zip(words, classes, strict=True):
                joint *= word_class.probability(word)
            found[words].append((joint, path))
    return found


def test_forward_equals_enumeration(tiny: Automaton) -> None:
    all_derivations = derivations(tiny)
    sentences = list(all_derivations)
    scored = forward(tiny, observe(tiny, sentences))
    totals = np.array([sum(p for p, _ in all_derivations[s]) for s in sentences])
    assert len(sentences) > 50
    assert totals.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(np.exp(scored.log_likelihood), totals, rtol=1e-12)
    joint = np.zeros((len(sentences), 2))
    for row, sentence in zip(joint, sentences, strict=True):
        for p, path in all_derivations[sentence]:
            row[tiny.start_of[path[0]]] += p
    np.testing.assert_allclose(np.exp(scored.log_joint), joint, rtol=1e-12)


def test_sentence_outside_the_grammar_has_probability_zero(tiny: Automaton) -> None:
    scored = forward(tiny, observe(tiny, [("the", "fish"), ("fish", "the"), ("no", "zebra")]))
    assert np.isneginf(scored.log_likelihood).all()


def test_tag_marginals_equal_enumeration(tiny: Automaton) -> None:
    all_derivations = derivations(tiny)
    sentences = list(all_derivations)
    observed = observe(tiny, sentences)
    marginals = np.stack(tag_marginals(tiny, observed, forward(tiny, observed)), axis=1)
    for row, sentence in zip(marginals, sentences, strict=True):
        expected = np.zeros((len(sentence), len(tiny.tags)))
        for p, path in all_derivations[sentence]:
            for t, state in enumerate(path[:-1]):
                expected[t] += p * tiny.tag_given_state[state]
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(row[: len(sentence)], expected, atol=1e-12)


def test_viterbi_equals_enumeration(tiny: Automaton) -> None:
    all_derivations = derivations(tiny)
    sentences = list(all_derivations)
    for sentence, path in zip(sentences, viterbi(tiny, observe(tiny, sentences)), strict=True):
        best, _ = max(all_derivations[sentence])
        found = max(p for p, states in all_derivations[sentence] if states[:-1] == tuple(path))
        assert found == pytest.approx(best, rel=1e-12)


def test_unknown_word_pools_what_the_vocabulary_lacks(tiny: Automaton) -> None:
    vocabulary = {"the", "no", "fish", "<pad>"}
    pooled: dict[tuple[str, ...], float] = defaultdict(float)
    for words, found in derivations(tiny).items():
        seen = tuple(word if word in vocabulary else "<unk>" for word in words)
        pooled[seen] += sum(p for p, _ in found)
    sentences = list(derivations(tiny))
    scored = forward(tiny, observe(tiny, sentences, vocabulary))
    for words, log_p in zip(sentences, scored.log_likelihood, strict=True):
        seen = tuple(word if word in vocabulary else "<unk>" for word in words)
        assert exp(log_p) == pytest.approx(pooled[seen], rel=1e-12)


def test_bayes_accuracy_and_entropy_equal_simulation(tiny: Automaton) -> None:
    all_derivations = derivations(tiny)
    sentences = list(all_derivations)
    scored = forward(tiny, observe(tiny, sentences))
    p = np.exp(scored.log_likelihood)
    joint = np.exp(scored.log_joint) @ tiny.label_given_start
    bayes, entropy = joint.max(axis=1).sum(), -(p * np.log(p)).sum()

    size = 40_000
    # The chain of labels correlates neighbours: drawn apart, the standard errors are simple.
    apart = compile_grammar(RULES.replace("persist 0.6", "persist 0"), LEXICON)
    drawn = sample(apart, size, np.random.default_rng(5))
    index = {sentence: i for i, sentence in enumerate(sentences)}
    rows = np.array([index[tuple(words)] for words in drawn.words])
    right = joint[rows].argmax(axis=1) == [tiny.starts.index(label) for label in drawn.labels]
    assert abs(right.mean() - bayes) < 3 * (bayes * (1 - bayes) / size) ** 0.5
    surprisal = -scored.log_likelihood[rows]
    assert abs(surprisal.mean() - entropy) < 3 * surprisal.std() / size**0.5


def test_sampled_tags_follow_their_marginals(tiny: Automaton) -> None:
    drawn = sample(tiny, 20_000, np.random.default_rng(1))
    counts = Counter(tag for tags in drawn.tags for tag in tags)
    expected: Counter[str] = Counter()
    for found in derivations(tiny).values():
        for p, path in found:
            for state in path[:-1]:
                for tag, q in zip(tiny.tags, tiny.tag_given_state[state], strict=True):
                    expected[tag] += p * q
    for tag in tiny.tags:
        assert counts[tag] / 20_000 == pytest.approx(expected[tag], abs=0.02), tag


def test_chain_of_units_equals_enumeration(tiny: Automaton) -> None:
    rng = np.random.default_rng(2)
    log_b = np.log(rng.random((5, 2)))
    total = 0.0
    for starts in product(range(2), repeat=5):
        p = tiny.prior[starts[0]]
        for before, after in pairwise(starts):
            p *= tiny.chain[before, after]
        total += p * exp(sum(log_b[t, k] for t, k in enumerate(starts)))
    assert chain_log_likelihood(tiny, log_b) == pytest.approx(log(total), rel=1e-12)
    np.testing.assert_allclose(tiny.chain, [[0.9, 0.1], [0.3, 0.7]])


def test_start_symbols_follow_the_chain(tiny: Automaton) -> None:
    quiet = compile_grammar(RULES.replace("noise good = bad 0.2", ""), LEXICON)
    labels = sample(quiet, 20_000, np.random.default_rng(3)).labels
    pairs = Counter(pairwise(labels))
    for before in range(2):
        row = np.array([pairs[tiny.starts[before], after] for after in tiny.starts])
        np.testing.assert_allclose(row / row.sum(), tiny.chain[before], atol=0.02)


def test_empty_optional_items_and_repeated_words() -> None:
    grammar = compile_grammar('start s\ns -> "a"?0.25 "b" "a"?0.5 "a"?0.5', {})
    p = {words: sum(q for q, _ in found) for words, found in derivations(grammar).items()}
    assert p["b",] == pytest.approx(0.75 * 0.25)
    assert p["b", "a"] == pytest.approx(0.75 * 0.5)
    assert p["a", "b", "a", "a"] == pytest.approx(0.25 * 0.25)
    assert sum(p.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ('start s\ns -> "a" t\nt -> "b" | "c" s', "recursive.*s -> t -> s"),
        ('start s\ns -> "a" t', "no rule for 't'"),
        ('start s\ns -> "a"\ns -> "b"', "2 rules for 's'"),
        ("start s\ns -> <missing>", "no class 'missing'"),
        ('s -> "a"', "no 'start'"),
        ('start s\ns -> 0 "a" | 1 "b"', "weight must be above 0"),
        ('start s\ns -> "a"?1.5', "'1.5' is not a probability"),
        ('start s\ns -> "a"?0.5', "can be empty"),
        ('start s\ns -> "a" | ', "alternative is empty"),
        ('start s\ns "a"', "expected SYMBOL"),
        ('start s\ns -> "a', "cannot read"),
        ("start s\npersist much\ns -> s", "'much' is not a probability"),
        ("start s\nnoise A = B 0.7 | C 0.6\ns -> s", "sum to more than 1"),
        ("start s\nfeature f\ns -> s", "expected NAME = VALUE"),
        ('start s\nfeature f = x | y | z\ns -> t[~f]\nt[f] -> "a"', "not a two-valued feature"),
        ('start s\nfeature f = x | y\ns -> t[q]\nt[f] -> "a"', r"no rule for 't\[q\]'"),
    ],
)
def test_ill_formed_rules_are_explained(rules: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        compile_grammar(rules, {})


def test_letter_model_sums_to_one_over_all_short_names() -> None:
    letters = LetterModel(
        (0.4, 0.6), {"b": 0.5, "br": 0.2, "r": 0.3}, {"a": 0.6, "ai": 0.4}, {"": 0.7, "b": 0.3}
    )
    strings = {
        ("".join(parts) + coda).capitalize()
        for syllables in (1, 2)
        for parts in product(*[letters.onsets, letters.nuclei] * syllables)
        for coda in letters.codas
    }
    assert sum(map(letters.probability, strings)) == pytest.approx(1.0, abs=1e-12)
    assert letters.probability("Ab") == letters.probability("bra") == 0.0
    assert letters.probability("Bababa") == letters.probability("") == 0.0
    drawn = Counter(letters.spell(20_000, np.random.default_rng(0)))
    for name in ("Bra", "Bab", "Raibrab"):
        p = letters.probability(name)
        assert abs(drawn[name] / 20_000 - p) < 4 * (p / 20_000) ** 0.5


@pytest.mark.parametrize("kind", ["PER", "LOC", "ORG"])
def test_letter_models_of_the_lexicon_spell_what_they_score(kind: str) -> None:
    letters = letter_model(kind)
    single = (
        (onset + nucleus + coda).capitalize()
        for onset in letters.onsets
        for nucleus in letters.nuclei
        for coda in letters.codas
    )
    assert sum(map(letters.probability, single)) == pytest.approx(letters.syllables[0])
    names = letters.spell(200, np.random.default_rng(0))
    assert all(letters.probability(name) > 0.0 for name in names)


def test_ambiguous_letter_models_are_refused() -> None:
    with pytest.raises(ValueError, match="vowel and consonant"):
        LetterModel((1.0,), {"b": 1.0}, {"ab": 1.0}, {"": 1.0})
    with pytest.raises(ValueError, match="empty"):
        LetterModel((1.0,), {"": 1.0}, {"a": 1.0}, {"": 1.0})
    with pytest.raises(ValueError, match=r"sum to 0\.5"):
        LetterModel((0.5,), {"b": 1.0}, {"a": 1.0}, {"": 1.0})


def test_word_class_mixes_list_and_letters() -> None:
    letters = LetterModel((1.0,), {"b": 1.0}, {"a": 0.5, "o": 0.5}, {"": 1.0})
    names = WordClass.zipfian(["Ba", "Cy"], letters=letters, fresh=0.2)
    assert names.probability("Ba") == pytest.approx(0.8 * zipf(2)[0] + 0.2 * 0.5)
    assert names.unknown(["Ba", "Cy"]) == pytest.approx(0.2 * 0.5)
    assert names.unknown({"Ba", "Bo", "Cy", "<unk>"}) == 0.0


def test_inflection() -> None:
    assert [plural(word) for word in ("box", "city", "boy", "dish")] == [
        "boxes",
        "cities",
        "boys",
        "dishes",
    ]
    assert [past(word) for word in ("plan", "carry", "bake", "load", "stir", "play")] == [
        "planned",
        "carried",
        "baked",
        "loaded",
        "stirred",
        "played",
    ]
    assert [participle(word) for word in ("bake", "see", "stop", "visit")] == [
        "baking",
        "seeing",
        "stopping",
        "visiting",
    ]


# ------------------------------------------------------------------------- the four corpora


@pytest.fixture(scope="module", params=CORPORA)
def corpus(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def words_of(example: Example) -> list[str]:
    return list(example.tokens) or example.text.split()


def test_same_seed_same_examples_other_split_other_examples(corpus: str) -> None:
    first = list(generate(corpus, 200, 7))
    assert first == list(generate(corpus, 200, 7, "train"))
    assert len(first) == 200
    for seed, split in ((7, "validation"), (7, "test"), (8, "train")):
        assert first != list(generate(corpus, 200, seed, split))


def test_examples_have_the_fields_of_their_kind(corpus: str) -> None:
    for example in generate(corpus, 50, 0):
        if KINDS[corpus] == "tagged":
            assert len(example.tokens) == len(example.tags) > 0
            assert all(example.tags) and not example.text
        else:
            assert example.text == " ".join(example.text.split())
            assert (example.label in ("positive", "negative")) == (KINDS[corpus] == "labelled")


@pytest.mark.parametrize(
    ("judged", "low", "high"),
    [("reviews", 0.92, 0.96), ("parts_of_speech", 0.97, 0.99), ("entities", 0.985, 0.997)],
)
def test_expected_accuracy_agrees_with_realised_accuracy(
    judged: str, low: float, high: float
) -> None:
    examples = list(generate(judged, 2000, 3, "test"))
    scores = optimum(judged, examples)
    accuracy, expected = scores["accuracy"], scores["expected_accuracy"]
    trials = 2000 if judged == "reviews" else sum(len(e.tokens) for e in examples)
    # Errors of one sentence go together: 4 standard errors of independent trials, not 3.
    assert abs(accuracy - expected) < 4 * (expected * (1 - expected) / trials) ** 0.5
    assert all(scores[name] > 0.0 for name in scores if name.endswith("loss"))
    assert low < expected < high


def reviews() -> list[Example]:
    return list(generate("reviews", 300, 1))


def test_observed_label_posterior_is_what_the_noise_leaves() -> None:
    labels, posterior = label_posteriors("reviews", reviews())
    assert set(labels) == {"positive", "negative"}
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0)
    assert posterior.max() <= 0.97 + 1e-9


def test_reviews_need_order_and_negation() -> None:
    train, test = (list(generate("reviews", n, 1, s)) for n, s in ((6000, "train"), (2000, "test")))
    best = optimum("reviews", test)["accuracy"]
    labels = [example.label for example in test]
    assert max(Counter(labels).values()) / len(labels) < 0.55
    lengths = [len(words_of(example)) for example in test]
    assert 30 < np.mean(lengths) < 45
    accuracies = {}
    for longest in (1, 2):
        counts = CountVectorizer(ngram_range=(1, longest), token_pattern=r"\S+", min_df=2)
        model = LogisticRegression(C=0.1, max_iter=300)
        model.fit(counts.fit_transform([e.text for e in train]), [e.label for e in train])
        accuracies[longest] = model.score(counts.transform([e.text for e in test]), labels)
    assert 0.54 < accuracies[1] < 0.70
    assert accuracies[1] + 0.05 < accuracies[2] < best - 0.08


def test_complaints_are_rare() -> None:
    examples = list(generate("skewed_reviews", 3000, 2))
    assert 0.03 < np.mean([example.label == "negative" for example in examples]) < 0.07
    assert 0.6 < optimum("skewed_reviews", examples)["f1"] < optimum("reviews", reviews())["f1"]


def test_no_other_decisions_have_a_higher_expected_macro_f1() -> None:
    rng = np.random.default_rng(0)

    def expected(decisions: np.ndarray, p: np.ndarray) -> float:
        of_labels = ((decisions, p), (1 - decisions, 1 - p))
        return sum(2 * (given @ q) / (given.sum() + q.sum()) for given, q in of_labels)

    for _ in range(20):
        p = rng.beta(0.5, 2, size=7)
        best = max(expected(np.array(each), p) for each in product((0, 1), repeat=7))
        assert expected(_decisions_for_f1(p), p) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    ("tagging", "low", "high"), [("parts_of_speech", 0.82, 0.91), ("entities", 0.82, 0.90)]
)
def test_tagging_needs_context(tagging: str, low: float, high: float) -> None:
    train, test = (list(generate(tagging, n, 1, s)) for n, s in ((6000, "train"), (1500, "test")))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in train:
        for word, tag in zip(example.tokens, example.tags, strict=True):
            counts[word][tag] += 1
    commonest = Counter(tag for e in train for tag in e.tags).most_common(1)[0][0]
    frequent = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    right = [
        frequent.get(word, commonest) == tag
        for example in test
        for word, tag in zip(example.tokens, example.tags, strict=True)
    ]
    assert low < np.mean(right) < high < optimum(tagging, test)["accuracy"] - 0.05


def test_many_names_in_test_are_new_and_names_change_type() -> None:
    train, test = (
        [
            (example.tokens[start:end], kind)
            for example in generate("entities", n, 1, split)
            for start, end, kind in entities(example.tags)
        ]
        for n, split in ((8000, "train"), (2000, "test"))
    )
    seen = {name for name, _ in train}
    assert 0.28 < np.mean([name not in seen for name, _ in test]) < 0.45
    kinds = defaultdict(set)
    for name, kind in train:
        kinds[name].add(kind)
    assert sum(len(found) == 3 for found in kinds.values()) > 30


def test_entity_f1_is_that_of_seqeval() -> None:
    examples = list(generate("entities", 300, 1))
    gold = [list(example.tags) for example in examples]
    rng = np.random.default_rng(0)
    names = sorted({tag for tags in gold for tag in tags} - {"O"})
    guess = [[t if rng.random() < 0.9 else str(rng.choice(names)) for t in tags] for tags in gold]
    expected = f1_score(gold, guess, mode="strict", scheme=IOB2)
    assert entity_f1(gold, guess) == pytest.approx(expected, abs=1e-12)
    assert entity_f1([["O"]], [["O"]]) == 1.0


def test_word_vocabulary_makes_the_optimum_of_unknown_words() -> None:
    lines = list(generate("text", 400, 1, "test"))
    whole = optimum("text", lines)
    vocabulary = {word for line in lines for word in words_of(line)}
    assert optimum("text", lines, vocabulary)["loss"] == pytest.approx(whole["loss"], rel=1e-12)
    small = {word for word, _ in Counter(w for e in lines for w in words_of(e)).most_common(100)}
    assert optimum("text", lines, small)["loss"] < whole["loss"] - 0.3
    entity_test = list(generate("entities", 200, 1, "test"))
    known = word_classes()["forename"] | {"in", "of", "the", "."}
    blurred = optimum("entities", entity_test, known)
    # Tags of one sentence depend on each other: together they are less uncertain.
    assert 0 < blurred["sequence_loss"] < 0.9 * blurred["word_loss"]
    assert blurred["expected_accuracy"] < optimum("entities", entity_test)["expected_accuracy"]


@pytest.mark.parametrize("corpus", ["parts_of_speech", "entities"])
def test_the_two_losses_of_tags_are_those_of_all_state_sequences(corpus: str) -> None:
    """Of short sentences, whose states' paths are summed one by one."""
    grammar = automaton(corpus)
    examples = sorted(generate(corpus, 80, 4), key=lambda e: len(e.tokens))[:6]
    following = grammar.transitions

    def next_of(state: int) -> list[tuple[int, float]]:
        row = slice(following.indptr[state], following.indptr[state + 1])
        return list(zip(following.indices[row].tolist(), following.data[row], strict=True))

    first_end = grammar.states - len(grammar.starts)
    of_words = of_sequences = 0.0
    for example in examples:
        emits = [[c.probability(word) for c in grammar.classes] for word in example.tokens]
        gold = [grammar.tags.index(tag) for tag in example.tags]
        paths = [((s,), p) for s, p in enumerate(grammar.initial) if p]
        for i in range(len(gold)):
            paths = [(path, p * emits[i][grammar.class_of[path[-1]]]) for path, p in paths]
            paths = [(path, p) for path, p in paths if p]
            if i + 1 < len(gold):
                paths = [((*path, s), p * a) for path, p in paths for s, a in next_of(path[-1])]
        paths = [
            (path, p * sum(a for s, a in next_of(path[-1]) if s >= first_end)) for path, p in paths
        ]
        total = sum(p for _, p in paths)
        given = grammar.tag_given_state
        for i, tag in enumerate(gold):
            of_words -= log(sum(p * given[path[i], tag] for path, p in paths) / total)
        together = sum(p * np.prod([given[s, t] for s, t in zip(path, gold, strict=True)])
                       for path, p in paths)  # fmt: skip
        of_sequences -= log(together / total)
    found, words = optimum(corpus, examples), sum(len(e.tokens) for e in examples)
    assert found["word_loss"] == pytest.approx(of_words / words)
    assert found["sequence_loss"] == pytest.approx(of_sequences / words)


def test_characters_and_words_have_one_total() -> None:
    lines = list(generate("text", 300, 2, "test"))
    words, characters = optimum("text", lines), optimum("text", lines, unit="character")
    assert characters["tokens"] == sum(len(line.text) + 1 for line in lines)
    assert words["tokens"] == sum(len(line.text.split()) + 1 for line in lines)
    total = words["loss"] * words["tokens"]
    assert characters["loss"] * characters["tokens"] == pytest.approx(total, rel=1e-12)
    assert words["bits_per_character"] == pytest.approx(characters["loss"] / log(2), rel=1e-12)
    assert words["perplexity"] == pytest.approx(exp(words["loss"]), rel=1e-12)


def test_text_rewards_memory_within_and_across_lines() -> None:
    train, lines = (list(generate("text", n, 1, s)) for n, s in ((20_000, "train"), (2000, "test")))
    best = optimum("text", lines)["loss"]
    grammar = automaton("text")
    alone = forward(grammar, observe(grammar, [words_of(line) for line in lines]))
    tokens = sum(len(words_of(line)) + 1 for line in lines)
    assert -alone.log_likelihood.sum() / tokens > best + 0.05  # the topic carried over pays
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in train:
        line = ["<eos>", *words_of(example), "<eos>"]
        for before, word in pairwise(line):
            counts[before][word] += 1
    unigram: Counter[str] = sum(counts.values(), Counter())
    total, nats = sum(unigram.values()), 0.0
    for example in lines:
        line = ["<eos>", *words_of(example), "<eos>"]
        for before, word in pairwise(line):
            seen = counts[before]
            prior = max(unigram[word], 0.5) / total
            nats -= log((seen[word] + 5 * prior) / (sum(seen.values()) + 5))
    assert exp(nats / tokens) > 2 * exp(best)


def test_entropy_of_the_real_grammars_is_stable(corpus: str) -> None:
    """The mean -log P of two samples agrees: what is drawn is what is scored."""
    grammar = automaton(corpus)
    means, errors = [], []
    for seed in (1, 2):
        examples = [words_of(example) for example in generate(corpus, 1500, seed)]
        surprisal = -forward(grammar, observe(grammar, examples)).log_likelihood
        means.append(surprisal.mean())
        errors.append(surprisal.std() / 1500**0.5)
    assert abs(means[0] - means[1]) < 4 * np.hypot(*errors)


def test_transitions_and_emissions_are_stochastic(corpus: str) -> None:
    grammar = automaton(corpus)
    np.testing.assert_allclose(grammar.transitions.sum(axis=1), 1.0, atol=1e-12)
    assert grammar.initial.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(grammar.tag_given_state.sum(axis=1), 1.0)
    np.testing.assert_allclose(grammar.chain.sum(axis=1), 1.0)
    for word_class in grammar.classes:
        assert word_class.probabilities.sum() == pytest.approx(1.0)


def test_determiners_agree_with_nouns() -> None:
    classes = word_classes()
    plurals = classes["thing.pl"] | classes["both.s"]
    after = {
        example.tokens[i + 1]
        for example in generate("parts_of_speech", 4000, 1)
        for i, word in enumerate(example.tokens)
        if word in ("every", "another")
    }
    assert len(after) > 50 and not after & plurals
    lines = [line.text.split() for line in generate("text", 4000, 1)]
    names = ("noun", *(f"noun.{topic}" for topic in automaton("text").starts))
    singular = {word for name in names for word in classes[f"{name}.sg"]}
    nouns = singular | {word for name in names for word in classes[f"{name}.pl"]}
    after = {b for line in lines for a, b in pairwise(line) if a == "every" and b in nouns}
    assert len(after) > 50 and after <= singular


def test_word_classes_hold_one_to_two_thousand_types() -> None:
    classes = word_classes()
    assert 1000 < len(set().union(*classes.values())) < 2000
    assert "dull" in classes["valued.negative"] and "moving" in classes["valued.positive"]
    assert not classes["valued.negative"] & classes["valued.positive"]


def test_mistakes_of_the_user_are_named() -> None:
    with pytest.raises(UserError, match=r"expected one of reviews.*did you mean 'reviews'"):
        generate("review", 10, 1)
    with pytest.raises(UserError, match="size 0"):
        generate("text", 0, 1)
    with pytest.raises(UserError, match="seed -1"):
        generate("text", 1, -1)
    with pytest.raises(UserError, match="split 'dev'"):
        generate("text", 1, 1, "dev")
    with pytest.raises(UserError, match="no examples"):
        optimum("text", [])
    with pytest.raises(UserError, match="example 1 cannot be produced"):
        optimum("text", [Example(text="colourless green ideas")])
    with pytest.raises(UserError, match="unit 'byte'"):
        optimum("text", [Example(text="a")], unit="byte")  # type: ignore[arg-type]
    review = next(generate("reviews", 1, 1))
    with pytest.raises(UserError, match="'meh' is not a label"):
        optimum("reviews", [Example(text=review.text, label="meh")])


def test_the_probability_of_unknown_words_has_no_order() -> None:
    """A set has another order in each process, and DVC compares the optimum byte by byte."""
    classes = [word_class for word_class in lexicon().values() if word_class.letters is not None]
    known = sorted({word for word_class in lexicon().values() for word in word_class.words})
    rng = np.random.default_rng(1)
    for word_class in classes:
        orders = [rng.permutation(known).tolist() for _ in range(5)]
        assert len({word_class.unknown(order) for order in orders}) == 1
