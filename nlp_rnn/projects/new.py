"""A new project: the user's files, ``params.yaml``, ``dvc.yaml``, a README."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn.config import parse
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder
from nlp_rnn.projects.builtin import BUILT_IN
from nlp_rnn.projects.defaults import Defaults, defaults
from nlp_rnn.projects.formats import parts, path_of
from nlp_rnn.projects.look import Sight
from nlp_rnn.projects.pipeline import RAW, write_pipeline
from nlp_rnn.projects.skeleton import DVCIGNORE, GITIGNORE, README

HEADER = """\
# What this project learns, from which data and how. Edit it, then run: dvc repro
# `nlp-rnn parameters model.dropout` explains a key, and `nlp-rnn check` finds mistakes.
backend: auto # the fastest here, or tensorflow, jax, torch
seed: 1 # of initial weights, shuffling and dropout

tracking:
  experiment: {name} # what MLflow lists the runs under
"""

COMMENTS = {
    "format": "how these files are written",
    "target": "the tokenizer of targets",
    "context_columns": "texts that are read before the source",
    "keep": "longer pairs, and unequal ones, are not learned from",
    "decoder_units": "the width of the decoder",
    "attention": "how the decoder looks at the source: general, additive, dot, …",
    "layers": "one recurrent layer upon the other",
    "label_smoothing": "a share of the probability that is spread over all tokens",
    "judged": "pairs of the validation split that are decoded after each epoch",
    "decoding": "how long a target may become, and which form it has",
    "spans": "what happens to spans that cut words, overlap or are in several parts",
    "unit": "of texts: a document is cut into sentences",
    "language": "whose rules cut documents into sentences",
    "label_separator": "between the labels of a text, which may be any number",
    "label_columns": "1 in each where the text has the label",
    "thresholds": "how the probability is chosen from which a label is given",
    "split": "shares of the training data, for splits without a file of their own",
    "unseen_labels": "tags that the training split lacks stay, as errors of any model",
    "tokenizer": "what a token is",
    "vocabulary": "rarer words become <unk>",
    "licence": "copied to the data card",
    "embeddings": "one vector for each word",
    "units": "the width of one direction",
    "dropout": "higher if the training loss falls and the validation loss rises",
    "casing": "the width of a vector for how a word is written",
    "characters": "spelling, by a convolution",
    "output": "a CRF knows which tag may follow which",
    "select": "what the best epoch on the validation split is best at",
    "patience": "epochs without anything better, before training stops",
    "clip_norm": "the largest norm of the gradient",
    "max_length": "longer texts are cut to so many tokens",
    "long_texts": "keeps the beginning and the end of these",
    "singleton_dropout": "rare words are read as <unk>, so that its vector is learned",
    "window": "tokens through which the gradient flows back",
    "tied": "the output layer shares the vectors of words",
    "corpus": "of the built-in grammar",
}
"""What a line of ``params.yaml`` says of its key."""


@dataclass(frozen=True)
class Project:
    """A project that was written.

    Attributes:
        folder: where it lies.
        model: the name of its experiment.
        task: of the experiment.
        sample: a text to try the model with.
    """

    folder: Path
    model: str
    task: str
    sample: str

    @property
    def use(self) -> str:
        """A command that uses the trained model."""
        if self.task == "language_modelling":
            return f"nlp-rnn generate models/{self.model} --length 60"
        return f"echo '{self.sample}' | nlp-rnn predict models/{self.model} - -"

    @property
    def use_in_python(self) -> str:
        """The same in Python, once the model is loaded."""
        if self.task == "language_modelling":
            return "generate(length=60)"
        return f'predict("{self.sample}")'


def check_free(folder: Path) -> None:
    """Raise UserError unless a project can be written there."""
    if folder.resolve() == Path.cwd():
        raise UserError(f"{folder}: is the current folder; give the name of a new one")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; give the name of a new folder")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give the name of a new folder")
    if not name_of(folder):
        raise UserError(f"{folder}: a project's name needs a letter or digit; give another folder")


def name_of(folder: Path) -> str:
    """What a project in a folder is called in ``params.yaml``."""
    return re.sub("[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("._-")


def write_from_files(folder: Path, sight: Sight) -> Project:
    """Write a project for the files that were looked at, whole or not at all."""
    found = defaults(sight)
    places = _places(sight)
    named = {
        key: [f"./{RAW}/{places[path]}" for path in paths] for key, paths in sight.files.items()
    }
    paths = {key: own if len(own) > 1 else own[0] for key, own in named.items()}
    dataset = {"source": "files", "format": sight.format, **paths, **sight.reading, **found.dataset}
    dataset |= {"licence": "not stated", "citation": "not stated"}
    files = {path_of(path): places[path].partition("!")[0] for _, path in parts(sight.files)}
    return _write(folder, found, dataset, files)


def write_built_in(folder: Path, example: str) -> Project:
    """Write the project of a built-in example, whole or not at all."""
    found = BUILT_IN[example]
    return _write(folder, found, found.dataset, {})


def _places(sight: Sight) -> dict[str, str]:
    """Where below ``data/raw`` each path of the user's lies."""
    places: dict[str, str] = {}
    taken: dict[str, Path] = {}
    for key, given in parts(sight.files):
        path, inside = path_of(given), given.partition("!")[1:]
        inside = inside if str(path) != given else ("", "")
        name = Path(os.path.abspath(path)).name  # of a link itself, not of what it leads to
        if taken.setdefault(name, path) != path:
            name = f"{key.replace('_', '-')}-{name}"
        if taken.setdefault(name, path) != path:
            raise UserError(
                f"{path}: another file has the name {path.name} too; rename one of them"
            )
        places[given] = name + "".join(inside)
    return places


def _write(
    folder: Path, found: Defaults, dataset: Mapping[str, Any], files: Mapping[Path, str]
) -> Project:
    name = name_of(folder)
    model = f"{name}-{found.suffix}"
    task = found.experiment["task"]
    experiment = {"task": task, "dataset": name, **found.experiment}
    with whole_folder(folder.resolve()) as partial:
        for source, place in files.items():
            _copy(source, partial / RAW / place)
        parameters = _parameters(name, dataset, model, experiment, found.why)
        (partial / "params.yaml").write_text(parameters, encoding="utf-8")
        written = {"datasets": {name: dataset}, "experiments": {model: experiment}}
        write_pipeline(parse(written, folder / "params.yaml"), partial)
        (partial / ".gitignore").write_text(GITIGNORE, encoding="utf-8")
        (partial / ".dvcignore").write_text(DVCIGNORE, encoding="utf-8")
        project = Project(folder, model, task, found.sample)
        readme = README.format(
            name=name, model=model, use=project.use, use_in_python=project.use_in_python
        )
        (partial / "README.md").write_text(readme, encoding="utf-8")
    return project


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


# --- as text --------------------------------------------------------------------------


def _parameters(
    name: str, dataset: Mapping[str, Any], model: str, experiment: Mapping[str, Any], why: str
) -> str:
    """The text of ``params.yaml``."""
    lines = [HEADER.format(name=_scalar(name)), "datasets:", f"  {_scalar(name)}:"]
    lines += _lines(dataset, "    ")
    lines += ["", "experiments:", f"  {_scalar(model)}: # {why}", *_lines(experiment, "    ")]
    return "\n".join(lines) + "\n"


def _lines(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    """A mapping in YAML, a key on each line: those of few keys in braces, all with comments."""
    for key, value in values.items():
        comment = f" # {COMMENTS[key]}" if key in COMMENTS else ""
        if isinstance(value, Mapping) and key in ("model", "training"):
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {_flow(value)}{comment}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A value in YAML; strings in quotes where they would be read as something else."""
    plain = isinstance(value, str) and re.fullmatch(r"(\./|[A-Za-z])([\w./ -]*[\w./-])?", value)
    words = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    if plain and str(value).lower() not in words:
        return str(value)
    escaped = isinstance(value, str) and not value.isprintable()  # YAML refuses some characters
    return json.dumps(value, ensure_ascii=escaped).replace("\x7f", "\\x7f")
