"""Data sets of the Hugging Face hub: keeping a copy of one, and opening it.

A copy has the files of one configuration at one commit, laid out as on the hub: so a download, a
folder that was brought from elsewhere, and what is streamed are read alike. No code of a data set
is ever run: the library has no reader that would, and of its readers only :data:`READERS` are used,
as others may unpickle.

The library itself tries for minutes before it finds that there is no network; so the hub is looked
up first, within :data:`~nlp_rnn.corpora.download.SECONDS`.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlp_rnn.config import HuggingFaceDataset, nearest
from nlp_rnn.corpora.download import unreachable
from nlp_rnn.corpora.lines import fingerprint
from nlp_rnn.errors import UserError
from nlp_rnn.files import whole_folder

READERS = ("arrow", "csv", "json", "parquet", "text")
"""The readers of the library that are used: those of tables and of text."""

_COMMIT = ".commit"
"""The file of a copy that names its commit."""

_CARD = "README.md"
_BESIDE_THE_DATA = (_CARD, "dataset_infos.json")
"""The files that describe the data: its columns, its classes, its licence."""

_CITATION = re.compile(r"^#+ *citation.*?^```\w*\n(.*?)^```", re.I | re.M | re.S)
"""The block under the heading of a card that says what to cite."""


@dataclass(frozen=True)
class Opened:
    """A data set that is ready to be read.

    Attributes:
        splits: the records of each split, by the names that the data set has for them.
        features: what is known of the columns; None where only the records tell.
        files: where the data lie or, of what is streamed, the hash and size of each file.
        licence: as the data set says it.
        citation: likewise.
        commit: on the hub, if it comes from there.
    """

    splits: Mapping[str, Any]
    features: Mapping[str, Any] | None
    files: Mapping[str, Path | dict[str, str | int]]
    licence: str
    citation: str
    commit: str | None = None

    def fingerprints(self) -> dict[str, dict[str, str | int]]:
        """The hash and size of each file."""
        return {
            name: fingerprint(file) if isinstance(file, Path) else file
            for name, file in self.files.items()
        }


def open_dataset(name: str, dataset: HuggingFaceDataset, folder: Path) -> Opened:
    """Open a data set, and download it first where need be.

    Args:
        name: what it is called in ``params.yaml``.
        dataset: its parameters.
        folder: the data folder; copies are kept in its ``huggingface``.

    Raises:
        UserError: it is not there and not to be had, or cannot be read.
    """
    if dataset.path is not None:
        return _open_path(name, dataset, folder)
    if dataset.streaming:
        return _open_stream(name, dataset)
    copy = _copy(name, dataset, folder / "huggingface")
    opened = _open_folder(name, copy, None, copy.relative_to(folder))
    commit = (copy / _COMMIT).read_text(encoding="utf-8")
    return replace(opened, commit=commit)


@contextlib.contextmanager
def explained(name: str, what: str) -> Iterator[None]:
    """Quiet the library within the block, and turn all that it raises into a UserError."""
    from huggingface_hub import errors

    try:
        with _quiet():
            yield
    except UserError:
        raise
    except errors.GatedRepoError:
        raise UserError(
            f"data set '{name}': {what} asks you to accept its terms; do that on its page of the "
            "hub, then run: hf auth login"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"data set '{name}': the hub has no data set {what} that you may read; correct its "
            "name or, if it is private, run: hf auth login"
        ) from None
    # What else a damaged file or a broken connection leads to, each reader has its own way to say.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"data set '{name}': {what} cannot be read: {reason}") from error


def _open_path(name: str, dataset: HuggingFaceDataset, folder: Path) -> Opened:
    place = folder / str(dataset.path)
    if not place.is_dir():
        raise UserError(
            f"{place}: no such folder (parameter path of data set '{name}'); put it there, or set "
            f"the environment variable NLP_RNN_DATA to the folder that holds {dataset.path}"
        )
    if not any((place / file).is_file() for file in ("dataset_dict.json", "state.json")):
        return _open_folder(name, place, dataset.configuration, Path(str(dataset.path)))
    if dataset.configuration is not None:
        raise UserError(
            f"{place}: was written by save_to_disk and has no configurations; leave configuration "
            f"of data set '{name}' out"
        )
    return _open_saved(name, place, Path(str(dataset.path)))


def _open_saved(name: str, place: Path, told: Path) -> Opened:
    """A folder that ``save_to_disk`` wrote; without names of splits, it is the training split.

    Args:
        told: what the folder is called in the data card.
    """
    import datasets

    with explained(name, str(place)):
        found = datasets.load_from_disk(str(place))
        splits = found if isinstance(found, datasets.DatasetDict) else {"train": found}
        info = next(iter(splits.values())).info
    return Opened(
        splits,
        info.features,
        {
            (told / file.relative_to(place)).as_posix(): file
            for split in splits.values()
            for file in (Path(each["filename"]) for each in split.cache_files)
        },
        info.license or "not stated",
        info.citation or "not stated",
    )


def _open_folder(name: str, place: Path, configuration: str | None, told: Path) -> Opened:
    """A folder of files laid out as on the hub.

    Args:
        told: what the folder is called in the data card.
    """
    whole = place.resolve()
    with explained(name, str(place)):
        builder = _builder(name, str(whole), configuration)
        splits = builder.as_streaming_dataset()
    files = _data_files(builder, f"{whole.as_posix()}/")
    if (whole / _CARD).is_file():
        files.append(_CARD)
    return Opened(
        splits,
        builder.info.features,
        {(told / file).as_posix(): whole / file for file in files},
        *_terms(whole / _CARD, builder.info),
    )


def _open_stream(name: str, dataset: HuggingFaceDataset) -> Opened:
    """A data set that stays on the hub, whose files are known by what the hub says of them."""
    _look_up(name, dataset, "set streaming: false where there is a network, to keep a copy")
    with explained(name, str(dataset.name)):
        from huggingface_hub import HfApi, RepoFile, hf_hub_download

        repository = _repository(name, dataset)
        commit = str(repository.sha)
        builder = _builder(name, str(dataset.name), dataset.configuration, commit)
        paths = _data_files(builder, f"hf://datasets/{dataset.name}@{commit}/")
        found = HfApi().get_paths_info(
            str(dataset.name), paths, revision=commit, repo_type="dataset"
        )
        card = Path("absent")
        if _CARD in _names(repository):
            download = hf_hub_download(
                str(dataset.name), _CARD, repo_type="dataset", revision=commit
            )
            card = Path(download)
        return Opened(
            builder.as_streaming_dataset(),
            builder.info.features,
            {
                file.path: {"sha256": file.lfs.sha256, "bytes": file.size}
                if file.lfs
                else {"git_blob": file.blob_id, "bytes": file.size}
                for file in found
                if isinstance(file, RepoFile)
            },
            *_terms(card, builder.info),
            commit,
        )


def _copy(name: str, dataset: HuggingFaceDataset, root: Path) -> Path:
    """The folder of the copy of a data set, whole, downloaded unless it is there."""
    parts = (str(dataset.revision), dataset.configuration or "default")
    copy = root.joinpath(str(dataset.name), *(urllib.parse.quote(part, "") for part in parts))
    if not copy.is_dir():
        _look_up(
            name, dataset, f"connect to the network, or copy {copy} from a machine that has it"
        )
        with whole_folder(copy) as partial, explained(name, str(dataset.name)):
            _download(name, dataset, partial)
    return copy


def _download(name: str, dataset: HuggingFaceDataset, target: Path) -> None:
    """The files of one configuration of a data set into a folder, and a card of that one alone."""
    from huggingface_hub import DatasetCard, hf_hub_download

    repository = _repository(name, dataset)
    commit = str(repository.sha)
    builder = _builder(name, str(dataset.name), dataset.configuration, commit)
    wanted = _data_files(builder, f"hf://datasets/{dataset.name}@{commit}/")
    for file in (*wanted, *(_names(repository) & set(_BESIDE_THE_DATA))):
        hf_hub_download(
            str(dataset.name), file, repo_type="dataset", revision=commit, local_dir=target
        )
    shutil.rmtree(target / ".cache")
    (target / _COMMIT).write_text(commit, encoding="utf-8")
    if (target / _CARD).is_file():
        card = DatasetCard.load(target / _CARD)
        if configurations := card.data.get("configs"):
            card.data.configs = [
                each for each in configurations if each["config_name"] == builder.config.name
            ]
            card.save(target / _CARD)


def _look_up(name: str, dataset: HuggingFaceDataset, remedy: str) -> None:
    """Fail at once where the hub cannot be reached, or must not be."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        reason = "the environment variable HF_HUB_OFFLINE forbids to fetch it"
    elif silent := unreachable({constants.ENDPOINT}):
        reason = f"{', '.join(silent)} cannot be reached"
    else:
        return
    raise UserError(
        f"data set '{name}': {dataset.name} at revision {dataset.revision} is not on this machine "
        f"and {reason}; {remedy}"
    )


def _repository(name: str, dataset: HuggingFaceDataset) -> Any:
    """What the hub says of the pinned revision: its commit and the names of its files.

    Raises:
        UserError: there is no such revision, or it is a branch.
    """
    from huggingface_hub import HfApi, errors

    references = HfApi().list_repo_refs(str(dataset.name), repo_type="dataset")
    for branch in references.branches:
        if branch.name == dataset.revision:
            raise UserError(
                f"data set '{name}': revision '{branch.name}' of {dataset.name} is a branch, which "
                f"moves; to pin what it has now, set revision: {branch.target_commit}"
            )
    try:
        return HfApi().dataset_info(str(dataset.name), revision=dataset.revision)
    except errors.RevisionNotFoundError:
        tags = [tag.name for tag in references.tags]
        hint = nearest(str(dataset.revision), tags) if tags else "it has no tags"
        raise UserError(
            f"data set '{name}': {dataset.name} has no revision '{dataset.revision}'; {hint} (see "
            f"https://huggingface.co/datasets/{dataset.name}/commits/main)"
        ) from None


def _names(repository: Any) -> set[str]:
    return {file.rfilename for file in repository.siblings}


def _builder(name: str, place: str, configuration: str | None, commit: str | None = None) -> Any:
    """The library's reader of a data set, set up for one configuration.

    Args:
        place: a folder, or a name on the hub.
        commit: on the hub.

    Raises:
        UserError: there is no such configuration, or the data are no tables or text.
    """
    import datasets

    # The library makes a folder for files of its own, which are not used here.
    with tempfile.TemporaryDirectory() as unused:
        try:
            builder = datasets.load_dataset_builder(
                place, configuration, revision=commit, cache_dir=unused
            )
        except ValueError:
            names = datasets.get_dataset_config_names(place, revision=commit)
            if configuration is None and len(names) > 1:
                raise UserError(
                    f"data set '{name}': {place} has several configurations ({', '.join(names)}); "
                    f"name one, e.g. configuration: {names[0]}"
                ) from None
            if configuration is not None and configuration not in names:
                raise UserError(
                    f"data set '{name}': {place} has no configuration '{configuration}'; "
                    f"{nearest(configuration, names)}"
                ) from None
            raise
    if builder.name not in READERS:
        raise UserError(
            f"data set '{name}': {place} has files for the reader '{builder.name}'; only those of "
            f"{', '.join(READERS)} are read: convert its files to Parquet"
        )
    return builder


def _data_files(builder: Any, prefix: str = "") -> list[str]:
    """The files of all splits, each once."""
    files = (file for split in builder.config.data_files.values() for file in split)
    return list(dict.fromkeys(str(file).removeprefix(prefix) for file in files))


def _terms(card: Path, info: Any) -> tuple[str, str]:
    """The licence and the citation of a data set, which it may say in its card."""
    from huggingface_hub import DatasetCard

    licence, citation = info.license, info.citation
    if card.is_file():
        content = DatasetCard.load(card, ignore_metadata_errors=True)
        found = content.data.get("license") or ""
        licence = licence or (found if isinstance(found, str) else ", ".join(found))
        block = _CITATION.search(content.text)
        citation = citation or (block[1].strip() if block else "")
    return licence or "not stated", citation or "not stated"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The libraries without their logs, and without bars where no one watches."""
    import datasets
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        disable_progress_bars()
    loggers = [logging.getLogger(library) for library in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
