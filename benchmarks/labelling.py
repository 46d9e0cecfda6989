"""How many labels active learning saves: accuracy against the number of labels, by strategy.

A tagger of parts of speech starts from a few sentences of the English Web Treebank, and a
classifier from a few film reviews. In each round the texts that a strategy chooses from the pool
get their gold labels, and the model is trained anew on all of them. Labels are counted as a person
gives them: the words of a sentence, since long sentences cost more, or a review. All runs of a seed
start from the same texts. ``NLP_RNN_DATA`` must have the data (docs/data.md).
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import Report, Row
from nlp_rnn.config import AnyExperiment, FilesDataset, TokenizerParameters, VocabularyParameters
from nlp_rnn.config import parse as parse_parameters
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.example import Example, Kind
from nlp_rnn.labelling.choose import Choice, choose
from nlp_rnn.text.prepared import PreparedDataset, prepare

if TYPE_CHECKING:
    from nlp_rnn.inference.predictor import Predictor

STRATEGIES: dict[str, Choice] = {
    "random": Choice("random"),
    "entropy": Choice("entropy"),
    "entropy per word": Choice("entropy", per_word=True),
    "least confidence": Choice("least-confidence"),
    "k-means among 500": Choice("k-means", among=500, vectors="tf-idf"),
}

CLUSTERED = ("k-means among 500",)
"""Strategies whose choice depends on how many texts are chosen."""

WORDS = 15
"""The words of a sentence, about."""

FEWEST = 5


@dataclass(frozen=True)
class Simulation:
    """What is simulated.

    Attributes:
        kind: of the examples.
        files: the data set.
        model, training: of the experiment.
        pool, test: how many texts there are to choose from, and to judge by.
        start, step: labels before the first round, and added in each: words for a tagger, texts
            for a classifier.
        rounds: how many rounds there are.
        strategies: keys of :data:`STRATEGIES`.
    """

    kind: Kind
    files: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    pool: int
    test: int
    start: int
    step: int
    rounds: int
    strategies: Sequence[str]

    @property
    def texts_a_step(self) -> int:
        """About how many texts cost a step."""
        return self.step // (WORDS if self.kind == "tagged" else 1)

    @property
    def task(self) -> str:
        return "tagging" if self.kind == "tagged" else "classification"

    def cost(self, example: Example) -> int:
        """The labels that a person gives to a text."""
        return len(example.tokens) if self.kind == "tagged" else 1


SIMULATIONS = {
    "ewt": Simulation(
        "tagged",
        {
            "format": "conllu",
            "train": "ewt/en_ewt-ud-train.conllu",
            "validation": "ewt/en_ewt-ud-dev.conllu",
            "test": "ewt/en_ewt-ud-test.conllu",
        },
        {"units": 48, "dropout": 0.3, "characters": {"kind": "cnn", "dimension": 16, "units": 32}},
        {"epochs": 15, "learning_rate": 0.01, "batch_size": 16, "singleton_dropout": 0.3},
        pool=3000,
        test=1000,
        start=500,
        step=500,
        rounds=4,
        strategies=("random", "entropy", "entropy per word"),
    ),
    "imdb": Simulation(
        "labelled",
        {
            "format": "folders",
            "train": "imdb/aclImdb_v1.tar.gz!aclImdb/train",
            "test": "imdb/aclImdb_v1.tar.gz!aclImdb/test",
        },
        {"kind": "averaged", "dropout": 0.3},
        {"epochs": 30, "learning_rate": 0.01, "batch_size": 16, "max_length": 200},
        pool=3000,
        test=2000,
        start=50,
        step=50,
        rounds=4,
        strategies=("random", "entropy", "k-means among 500"),
    ),
}


class Part(Corpus):
    """Some examples of a corpus."""

    def __init__(self, kind: Kind, splits: dict[str, Sequence[Example]]) -> None:
        self.name = "part"
        self.kind = kind
        self._splits = splits

    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def origin(self, split: str) -> str:
        return "a part"

    def read(self, split: str) -> Iterator[Example]:
        return iter(self._splits[split])

    def provenance(self) -> dict[str, Any]:
        return {"source": "a part", "files": {}, "licence": "", "citation": ""}


def experiment(simulation: Simulation) -> AnyExperiment:
    """The experiment of each round."""
    found = {
        "task": simulation.task,
        "dataset": "d",
        "embeddings": {"kind": "learned", "dimension": 48},
        "model": simulation.model,
        "training": simulation.training,
    }
    dataset = {"source": "files", **simulation.files}
    data = {"datasets": {"d": dataset}, "experiments": {"e": found}}
    return parse_parameters(data, Path("params.yaml")).experiment("e")


def trained(
    simulation: Simulation, labelled: Sequence[Example], folder: Path, seed: int
) -> Predictor:
    """A model trained on a few labels."""
    import keras

    from benchmarks.works import initial_vectors
    from nlp_rnn.inference.predictor import Predictor
    from nlp_rnn.runtime.bundle import Bundle, write_bundle
    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.training.checkpoint import Checkpoint
    from nlp_rnn.training.fit import fit
    from nlp_rnn.training.objective import compiled

    keras.utils.set_random_seed(seed)
    epochs = itertools.count(1.0)
    few = labelled[:FEWEST]  # neither validation nor test is used
    part = Part(simulation.kind, {"train": labelled, "validation": few, "test": few})
    tokenizer = TokenizerParameters(unit="word")
    prepare("part", part, tokenizer, VocabularyParameters(), folder / "d")
    dataset, parameters = PreparedDataset(folder / "d"), experiment(simulation)
    task = make_task(parameters, dataset, seed)
    network = task.network(initial_vectors(parameters, dataset))
    objective = compiled(task.objective(network), parameters.training)
    fit(
        objective,
        task.batches,
        lambda: {"validation/loss": -next(epochs)},  # so that the last epoch counts
        parameters.training,
        Checkpoint(folder / "c", "benchmark"),
        lambda epoch, row: None,
    )
    write_bundle(
        folder / "b",
        name="part",
        experiment=parameters,
        model=network,
        dataset=dataset,
        provenance={},
        figures={},
    )
    predictor = Predictor.of(Bundle.open(folder / "b"))
    return predictor


def accuracy(predictor: Predictor, examples: Sequence[Example]) -> float:
    """The share of right labels or tags; one that the model does not know is wrong."""
    predictions = predictor.predict([each.tokens or each.text for each in examples])
    right = [
        gold == said
        for each, prediction in zip(examples, predictions, strict=True)
        for gold, said in zip(
            each.tags or (each.label,),
            prediction.get("tags") or (prediction["label"],),
            strict=True,
        )
    ]
    return float(np.mean(right))


def simulated(
    simulation: Simulation, data: dict[str, list[Example]], strategy: str, seed: int
) -> dict[int, float]:
    """The accuracy after each round, by the number of labels."""
    rng, pool = np.random.default_rng(seed), data["pool"]
    taken = _within(simulation, pool, rng.permutation(len(pool)).tolist(), simulation.start)
    found: dict[int, float] = {}
    for round_ in range(simulation.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            predictor = trained(simulation, [pool[i] for i in taken], Path(folder), seed)
            labels = simulation.start + round_ * simulation.step
            found[labels] = accuracy(predictor, data["test"])
            if round_ < simulation.rounds:
                left = sorted({*range(len(pool))} - {*taken})
                items = [pool[i].tokens or pool[i].text for i in left]
                number = len(left) if strategy not in CLUSTERED else simulation.texts_a_step
                choice = replace(STRATEGIES[strategy], number=number, seed=seed + round_)
                ranked, _ = choose([predictor], items, choice, str(choice.by))
                taken += _within(
                    simulation, pool, [left[i] for i in ranked.tolist()], simulation.step
                )
    return found


def _within(
    simulation: Simulation, pool: Sequence[Example], ranked: Sequence[int], labels: int
) -> list[int]:
    """The first texts that cost at least so many labels."""
    chosen: list[int] = []
    cost = 0
    for i in ranked:
        if cost >= labels:
            break
        chosen.append(i)
        cost += simulation.cost(pool[i])
    return chosen


def measure(report: Report, only: str) -> None:
    """Simulate what ``only`` names, or all."""
    from nlp_rnn import backend

    backend.select()
    for name, simulation in SIMULATIONS.items():
        if only in name:
            _measure(name, simulation, report)


def _measure(name: str, simulation: Simulation, report: Report) -> None:
    seeds = range(1, 2 if report.quick else 4)
    if report.quick:
        simulation = replace(simulation, pool=300, test=100, rounds=1)
    corpus = open_corpus(name, FilesDataset(source="files", **simulation.files))
    every = list(corpus.read("train"))
    chosen = np.random.default_rng(0).permutation(len(every))[: simulation.pool]
    tests = list(corpus.read("test"))
    judged = np.random.default_rng(0).permutation(len(tests))[: simulation.test]
    data = {"pool": [every[i] for i in chosen], "test": [tests[i] for i in judged]}
    figures = {
        strategy: [simulated(simulation, data, strategy, seed) for seed in seeds]
        for strategy in simulation.strategies
    }
    labels = list(figures["random"][0])
    rows: list[Row] = [
        {"": strategy, **{f"{count:,}": _mean(found, count) for count in labels}}
        for strategy, found in figures.items()
    ]
    unit = "words" if simulation.kind == "tagged" else "reviews"
    note = f"Test accuracy, mean of {len(seeds)} seeds ± standard deviation, by labelled {unit}."
    report.add(f"Labels that active learning saves: {name}", rows, figures, note)


def _mean(found: Sequence[dict[int, float]], labels: int) -> str:
    values = [100 * each[labels] for each in found]
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=len(values) > 1):.1f}"
