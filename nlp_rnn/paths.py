"""Where everything lies in a project, relative to the folder of ``params.yaml``."""

from pathlib import Path


def located(name: str, folder: Path) -> Path:
    """Where a file lies that ``params.yaml`` names.

    Args:
        folder: of raw data, which names are relative to unless they begin with ``./`` or ``../``:
            then they are relative to the project.
    """
    return Path(name) if name.startswith(("./", "../")) else folder / name


def checksums(dataset: str) -> Path:
    """Names and checksums of the raw files of a real data set."""
    return Path("data/checksums") / f"{dataset}.json"


def vector_checksum(experiment: str) -> Path:
    """Name and checksum of the file of word vectors that an experiment starts from."""
    return Path("data/checksums/vectors") / f"{experiment}.json"


def sentence_vector_checksum(encoder: str) -> Path:
    """The same for a sentence encoder."""
    return Path("data/checksums/sentences") / f"{encoder}.json"


def prepared(dataset: str) -> Path:
    """A prepared data set: integers, vocabulary, data card."""
    return Path("data/prepared") / dataset


def fold(folder: Path, number: int) -> Path:
    """The part of a prepared data set, or of an experiment's initial vectors, that belongs to a
    fold of a cross-validation; the folder itself is the first fold's.

    Args:
        number: of the fold, from 1.
    """
    return folder if number == 1 else folder / "folds" / str(number)


def owner(folder: Path) -> str:
    """The name of the data set or experiment whose folder, or that of one of its folds, this is."""
    return folder.parents[1].name if folder.parent.name == "folds" else folder.name


def checks(dataset: str) -> Path:
    """What the checks of a data set found; no DVC output."""
    return Path("checks") / dataset


def vectors(name: str) -> Path:
    """Word vectors, or a sentence encoder, learned from a corpus."""
    return Path("vectors") / name


def embeddings(experiment: str) -> Path:
    """Initial word vectors of an experiment and their coverage."""
    return Path("embeddings") / experiment


def checkpoints(experiment: str) -> Path:
    """Where an interrupted training goes on; no DVC output, so that DVC leaves it alone."""
    return Path("checkpoints") / experiment


def bundle(experiment: str) -> Path:
    """The trained model with all it needs to predict."""
    return Path("models") / experiment


def run_record(experiment: str) -> Path:
    """The MLflow run that trained the model."""
    return Path("runs") / f"{experiment}.json"


def metrics(experiment: str) -> Path:
    """The headline metrics of an experiment, which DVC shows."""
    return Path("metrics") / f"{experiment}.json"


def figures(experiment: str) -> Path:
    """Everything that the evaluation of an experiment found, every baseline and class."""
    return Path("figures") / f"{experiment}.json"


def predictions(experiment: str) -> Path:
    """Gold, prediction and confidence of every test example."""
    return Path("predictions") / f"{experiment}.jsonl"


def baseline_figures(dataset: str) -> Path:
    """The test metrics of every baseline of a data set."""
    return Path("figures/baselines") / f"{dataset}.json"


def baseline_predictions(dataset: str) -> Path:
    """The folder of each baseline's predictions of the test split."""
    return Path("predictions/baselines") / dataset


def loss(experiment: str) -> Path:
    """The losses of every epoch; all experiments' in one folder, which DVC draws."""
    return Path("plots/loss") / f"{experiment}.csv"


def confusion(experiment: str) -> Path:
    """The folder of gold and predicted classes, which DVC draws; empty for language models."""
    return Path("plots/confusion") / experiment


def calibration(experiment: str) -> Path:
    """The folder of accuracy by confidence, which DVC draws; empty for language models."""
    return Path("plots/calibration") / experiment


def training_plots(experiment: str) -> Path:
    """Plots of the training."""
    return Path("plots/training") / experiment


def evaluation_plots(experiment: str) -> Path:
    """Where a model errs, as tables, plots and a report."""
    return Path("plots/evaluation") / experiment


def report(name: str) -> Path:
    """A file about all experiments."""
    return Path("reports") / name


def memory_figures(problem: str) -> Path:
    """How long each network remembered on a problem."""
    return Path("figures/memory") / f"{problem}.json"


def memory_plots(problem: str) -> Path:
    """Success against distance, as data and as a picture."""
    return Path("plots/memory") / problem


def search(name: str) -> Path:
    """Trials of a search, its pictures and the best model; no DVC output."""
    return Path("search") / name
