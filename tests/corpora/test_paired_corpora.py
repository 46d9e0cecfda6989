"""Built-in pairs: what they ask, and their optimum against brute force and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from nlp_rnn.config import PairsDataset, parse
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.paired import make_problem
from nlp_rnn.corpora.paired.shapes import Captions, Scene, pictures, scenes
from nlp_rnn.corpora.paired.translation import distribution
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example

CORPORA = ("translation", "addition", "arithmetic", "captions", "questions")


def dataset(corpus: str, size: int = 400, **other: Any) -> PairsDataset:
    sizes = dict.fromkeys(SPLITS, size)
    return PairsDataset.model_validate(
        {"source": "pairs", "corpus": corpus, "sizes": sizes, **other}
    )


def corpus(name: str, size: int = 400, **other: Any) -> Corpus:
    return open_corpus(name, dataset(name, size, **other))


def drawn(name: str, size: int = 400, split: str = "train", **other: Any) -> list[Example]:
    return list(corpus(name, size, **other).read(split))


@pytest.mark.parametrize("name", CORPORA)
def test_examples_are_the_same_each_time_and_differ_between_splits(name: str) -> None:
    pairs = corpus(name)
    train, again, test = (list(pairs.read(split)) for split in ("train", "train", "test"))
    assert train == again and train != test and len(train) == 400
    assert all(example.target and (example.text or example.features) for example in train)
    assert pairs.kind == "pairs" and pairs.provenance()["source"] == f"pairs ({name})"


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_the_best_predictions_are_right_as_often_as_expected(name: str) -> None:
    examples = drawn(name, 1500, "test")
    best = make_problem(dataset(name)).best(examples)
    right = np.array([t == e.target for t, e in zip(best.targets, examples, strict=True)])
    deviation = np.sqrt((best.probabilities * (1 - best.probabilities)).sum()) / len(examples)
    assert abs(right.mean() - best.probabilities.mean()) <= 4 * deviation
    assert best.losses[right] == pytest.approx(-np.log(best.probabilities[right]))
    assert (best.losses >= -np.log(best.probabilities) - 1e-12).all()


# --- translation ----------------------------------------------------------------------


def test_context_tells_the_sense_of_a_word() -> None:
    [(of_nature, p)] = distribution("the bank sees every river .").items()
    [(of_town, q)] = distribution("the bank sees every office .").items()
    assert p == q == 1
    assert of_nature.split()[0] != of_town.split()[0]
    by_the_verb = distribution("the bank feeds every writer .")
    assert [next(iter(by_the_verb)).split()[0]] == [of_nature.split()[0]]


def test_without_context_both_senses_are_equally_probable() -> None:
    assert list(distribution("the bank sees every crane .").values()) == [0.5, 0.5]
    assert list(distribution("the writer sees every cat .").values()) == [1.0]


def test_a_time_has_two_words_and_two_places() -> None:
    found = distribution("now the writer sees every cat .")
    assert sorted(found.values()) == pytest.approx(sorted([0.56, 0.24, 0.14, 0.06]))
    bank = distribution("now the bank sees every crane near the cat .")
    assert sum(bank.values()) == pytest.approx(1) and max(bank.values()) == pytest.approx(0.28)


def test_word_order_and_agreement() -> None:
    words = next(iter(distribution("all strange writers see this cat near some dogs ."))).split()
    noun, adjective, article = words[:3]
    assert words[-1] == "." and len(words) == 10
    gender = adjective[-1]
    assert article[-1] == gender and words[-2].endswith(f"{gender}sh")
    one = next(iter(distribution("this strange writer sees this cat near some dogs ."))).split()
    assert one[0] == noun and one[-2] == words[-2].removesuffix("sh")


@pytest.mark.slow
def test_targets_are_drawn_as_often_as_their_probabilities_say() -> None:
    """In sentences that do not tell the topic, either sense is meant as often as the other."""
    found = [(list(distribution(e.text)), e.target) for e in drawn("translation", 3000)]
    assert all(target in targets for targets, target in found)
    first = [targets.index(target) == 0 for targets, target in found if len(targets) == 2]
    assert len(first) > 100
    assert stats.binomtest(sum(first), len(first), 0.5).pvalue > 1e-3


# --- arithmetic -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["addition", "arithmetic"])
def test_results_are_those_of_python(name: str) -> None:
    for example in drawn(name, digits=4, **({"letters": 2.0} if name == "arithmetic" else {})):
        symbols = "".join(s for s in example.text.split() if s in "0123456789+-")
        a, b = symbols.replace("-", "+").split("+")
        result = int(a) - int(b) if "-" in symbols else int(a) + int(b)
        assert int(example.target.replace(" ", "")) == result
        assert 1 <= len(a) <= 4 and 1 <= len(b) <= 4
        assert str(int(a)) == a and str(int(b)) == b


def test_no_problem_of_the_test_split_is_in_training() -> None:
    train, test = (
        {" + ".join(sorted(e.text.split(" + "))) for e in drawn("addition", 3000, split, digits=2)}
        for split in ("train", "test")
    )
    assert train and test and not train & test


def test_letters_follow_digits_as_often_as_asked() -> None:
    texts = [example.text.split() for example in drawn("arithmetic", 2000, letters=1.5)]
    letters = sum(symbol.isalpha() for text in texts for symbol in text)
    digits = sum(symbol.isdigit() for text in texts for symbol in text)
    assert letters / digits == pytest.approx(1.5, rel=0.05)
    assert all(text[0].isdigit() for text in texts)


# --- shapes ---------------------------------------------------------------------------


def test_a_picture_shows_its_scene() -> None:
    red, blue = ("red", "square"), ("blue", "circle")
    picture = Scene(red, blue, "left of", 1).picture().reshape(8, 8, 3)
    assert (picture[:4] == 0).all()  # the upper row of cells is empty
    assert (picture[4:, :4] == (1, 0, 0)).all()
    assert picture[5, 5].tolist() == [0, 0, 1] and picture[4, 4].tolist() == [0, 0, 0]
    assert len(np.unique(pictures(), axis=0)) == len(scenes()) == 576


def test_questions_about_a_scene() -> None:
    asked = Scene(("red", "square"), ("blue", "circle"), "above", 0).questions()
    assert asked["what colour is the circle ?"] == "blue"
    assert asked["is there a green shape ?"] == "no" and asked["is there a red shape ?"] == "yes"
    assert asked["how many squares are there ?"] == "1"
    assert asked["what is above the blue circle ?"] == "red square"
    assert asked["what is below the red square ?"] == "blue circle"
    twins = Scene(("red", "square"), ("red", "square"), "left of", 0).questions()
    assert not any("colour" in question or "left" in question for question in twins)


def test_the_posterior_is_that_of_densities() -> None:
    vector = pictures()[7] + np.random.default_rng(0).normal(0, 0.9, 192)
    logs = stats.norm.logpdf(vector, pictures(), 0.9).sum(axis=1)
    expected = np.exp(logs - logs.max())
    found = Captions(0.9).posterior(vector[None])[0]
    assert found == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize("name", ["captions", "questions"])
def test_the_loss_is_a_sum_over_scenes(name: str) -> None:
    examples = drawn(name, 5, noise=0.9)
    problem = make_problem(dataset(name, noise=0.9))
    losses = problem.best(examples).losses
    for example, loss in zip(examples, losses, strict=True):
        logs = stats.norm.logpdf(np.array(example.features), pictures(), 0.9).sum(axis=1)
        both = of_text = 0.0
        for weight, scene in zip(np.exp(logs - logs.max()), scenes(), strict=True):
            ways = (
                [("", caption, p) for caption, p in scene.captions()]
                if name == "captions"
                else [(q, a, 1 / len(scene.questions())) for q, a in scene.questions().items()]
            )
            of_text += weight * sum(p for text, _, p in ways if text == example.text)
            both += weight * sum(p for *way, p in ways if way == [example.text, example.target])
        assert loss == pytest.approx(-np.log(both / of_text))


def test_more_noise_costs_more() -> None:
    little, much = (
        make_problem(dataset("captions", noise=noise))
        .best(drawn("captions", 300, noise=noise))
        .metrics(drawn("captions", 300, noise=noise))
        for noise in (0.2, 1.0)
    )
    assert little["loss"] < much["loss"]
    assert little["expected_exact_match"] > much["expected_exact_match"]
    # Without noise, the order and the word for the relation remain to be guessed.
    assert little["expected_exact_match"] == pytest.approx(0.7 * (0.7 + 0.6) / 2, abs=0.02)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"corpus": "translation", "digits": 3}, "digits needs corpus addition or arithmetic"),
        ({"corpus": "addition", "letters": 1}, "letters needs corpus arithmetic, not addition"),
        ({"corpus": "captions", "tokenizer": {"unit": "word"}}, "leave tokenizer out"),
        ({"corpus": "addition", "target": {"vocabulary": {"size": 9}}}, "target.vocabulary out"),
        ({"corpus": "sums"}, "corpus"),
    ],
)
def test_keys_that_do_not_fit_are_one_line(keys: dict[str, Any], message: str) -> None:
    sizes = dict.fromkeys(SPLITS, 10)
    parameters = {"datasets": {"some": {"source": "pairs", "sizes": sizes, **keys}}}
    with pytest.raises(UserError, match=message):
        parse(parameters, "params.yaml")
