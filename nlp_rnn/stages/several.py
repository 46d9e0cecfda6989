"""Several trainings of one experiment: with other seeds, or in the folds of its data set."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nlp_rnn import paths
from nlp_rnn.process import log
from nlp_rnn.stages.finished import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nlp_rnn.config import AnyExperiment, Parameters
    from nlp_rnn.runtime.bundle import Bundle
    from nlp_rnn.runtime.network import Network


class Member(NamedTuple):
    """One of several trainings of an experiment.

    Attributes:
        kind: what they differ in.
        number: the seed, or the number of the fold from 1.
        seed: the seed of the training.
    """

    kind: Literal["seed", "fold"]
    number: int
    seed: int

    @property
    def fold(self) -> int | None:
        """The number of the fold, if the data set has any."""
        return self.number if self.kind == "fold" else None

    def place(self, place: Place) -> Place:
        """Where this training keeps its state and results, beside those of all."""
        return Place.within(place.checkpoint / f"{self.kind}-{self.number}")

    def within(self, folder: Path) -> Path:
        """Where this training's part lies in a folder of results, unless it is the best."""
        return folder / f"{self.kind}s" / str(self.number)

    def bundle(self, kept: Bundle) -> Bundle:
        """The bundle of this training, which may be the one that was kept."""
        from nlp_rnn.runtime.bundle import Bundle

        inside = self.within(kept.folder)
        return Bundle.open(inside) if inside.exists() else kept

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


def members_of(parameters: Parameters, experiment: AnyExperiment) -> list[Member]:
    """The trainings of an experiment with several; none for one with its seed alone."""
    if folds := parameters.folds(experiment.dataset):
        return [Member("fold", number, parameters.seed) for number in range(1, folds + 1)]
    return [Member("seed", seed, seed) for seed in experiment.training.seeds or ()]


def starting_seed(experiment: AnyExperiment) -> int | None:
    """The seed of the initial weights, where all trainings share them."""
    seeds = experiment.training.seeds
    return seeds[0] if seeds and experiment.training.keep == "soup" else None


def best_of(name: str, experiment: AnyExperiment, bundles: Mapping[Member, Bundle]) -> Member:
    """The training that is best on its validation split."""
    select = experiment.training.select
    figures = {member: bundle.figures["validation"][select] for member, bundle in bundles.items()}
    best = (min if select == "loss" else max)(figures, key=figures.__getitem__)
    log(f"{name}: the best on the validation split is {best}, {select} {figures[best]:.4f}")
    return best


def write_kept(
    results: Place,
    place: Place,
    name: str,
    experiment: AnyExperiment,
    bundles: Mapping[Member, Bundle],
    provenance: Mapping[str, Any],
) -> None:
    """Write the bundle that ``training.keep`` asks for, with those of the others inside, and the
    plots of all.

    Args:
        results: where to.
        place: where the trainings are.
        provenance: of what is made of all bundles, beside what the first of them knows.
    """
    best, keep = best_of(name, experiment, bundles), experiment.training.keep
    if keep != "best":
        _write_mean(results.bundle, name, experiment, bundles, best, provenance)
    for member in bundles:
        own = member.place(place)
        for source, target, top in (
            (own.bundle, results.bundle, keep == "best" and member == best),
            (own.plots, results.plots, member == best),
        ):
            shutil.copytree(source, target if top else member.within(target), dirs_exist_ok=True)


def _write_mean(
    target: Path,
    name: str,
    experiment: AnyExperiment,
    bundles: Mapping[Member, Bundle],
    best: Member,
    provenance: Mapping[str, Any],
) -> None:
    """Write the ensemble or the soup of all bundles."""
    from nlp_rnn.runtime.bundle import write_bundle
    from nlp_rnn.runtime.ensemble import mean_network, write_ensemble
    from nlp_rnn.tasks.registry import make_task
    from nlp_rnn.text.prepared import PreparedDataset

    alone, first = bundles[best], next(iter(bundles.values()))
    own = {key: value for key, value in first.provenance.items() if key not in ("seed", "fold")}
    described: dict[str, Any] = {
        "name": name,
        "experiment": experiment,
        "provenance": own | dict(provenance) | {"members": list(map(str, bundles))},
        "figures": alone.figures
        | {"seconds": sum(bundle.figures["seconds"] for bundle in bundles.values())},
    }
    if best.kind == "fold":
        write_ensemble(target, list(bundles.values()), _of_folds(bundles), **described)
        return
    vocabulary = alone.vocabulary if experiment.embeddings.more_words else None
    dataset = PreparedDataset(paths.prepared(experiment.dataset), vocabulary)
    judge = partial(_judged, make_task(experiment, dataset, best.seed), name)
    if experiment.training.keep == "ensemble":
        write_ensemble(target, list(bundles.values()), judge, **described)
    else:
        mean = mean_network(list(bundles.values()))
        write_bundle(target, model=mean, dataset=dataset, calibration=judge, **described)


def _judged(task: Any, name: str, network: Network) -> dict[str, Any]:
    """What a bundle records of a network on the validation split, which the log says too."""
    found = task.calibrate(network)
    log(f"{name}: {found.reason}")
    return {"validation": task.measure(network, "validation"), **found.figures}


def _of_folds(bundles: Mapping[Member, Bundle]) -> Any:
    """What an ensemble of folds records: there is no text that none of its members has seen, so
    the metrics of the validation splits are the members' means, and no temperature is fitted."""
    figures = [bundle.figures for bundle in bundles.values()]

    def mean(of: list[dict[str, float]]) -> dict[str, float]:
        return {key: sum(each[key] for each in of) / len(of) for key in of[0]}

    found: dict[str, Any] = {
        "validation": mean([each["validation"] for each in figures]),
        "temperature": 1.0,
        "calibration": "No temperature was fitted, because each text was in the training data of "
        "some fold.",
    }
    if "thresholds" in figures[0]:
        found["thresholds"] = mean([each["thresholds"] for each in figures])
    return lambda network: found
