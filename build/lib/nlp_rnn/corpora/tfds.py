"""Text data sets of TensorFlow Datasets, downloaded or provided by hand.

The builders of TFDS do the work, and verify the checksums that it has registered. Prepared data is
kept in ``<data folder>/tfds``. Without a network, the original files may be put into
``<data folder>/tfds/manual/<data set>`` by hand: an error names them.

TFDS itself tries ten times, silently for 204 s, before it reports that there is no network; so
hosts are looked up first, within :data:`~nlp_rnn.corpora.download.SECONDS`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, compress
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.config import TfdsDataset, nearest
from nlp_rnn.corpora.download import unreachable
from nlp_rnn.corpora.lines import decode, fingerprint
from nlp_rnn.corpora.records import RecordCorpus, given
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.files import sha256

LICENCES: dict[str, tuple[str, str]] = {
    "imdb_reviews": (
        "not stated (its authors ask to be cited; the reviews are IMDb users' text)",
        "Maas et al. 2011, Learning Word Vectors for Sentiment Analysis, ACL",
    ),
    "universal_dependencies/en_ewt": (
        "CC BY-SA 4.0",
        "Silveira et al. 2014, A Gold Standard Dependency Corpus for English, LREC",
    ),
    "conll2003": (
        "research use only (the text: Reuters Corpus agreement with NIST)",
        "Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task, CoNLL",
    ),
    "wikiann": (
        "not stated (text of Wikipedia, CC BY-SA)",
        "Pan et al. 2017, Cross-lingual Name Tagging and Linking for 282 Languages, ACL",
    ),
    "tiny_shakespeare": (
        "public domain (the text); its compilation: not stated",
        "Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks",
    ),
    "glue/sst2": (
        "not stated",
        "Socher et al. 2013 (EMNLP), Stanford Sentiment Treebank; Wang et al. 2019 (ICLR), GLUE",
    ),
}
"""The licences and citations of data sets for which TFDS has none; by name, with or without
configuration."""


_ABSENT = frozenset({"_", "None"})
"""How the CoNLL-U builder writes an empty column."""


@dataclass(frozen=True)
class _Wanted:
    """A file that a builder downloads.

    Attributes:
        url: the source.
        name: its file name if it is provided by hand.
        sha256: the checksum registered in TFDS, if any.
    """

    url: str
    name: str
    sha256: str | None


class TfdsCorpus(RecordCorpus):
    """The splits of a data set of ``source: tfds``, downloaded and prepared where need be.

    Args:
        name: the name of the data set in ``params.yaml``.
        dataset: its parameters.
        folder: the data folder; TFDS keeps everything in its ``tfds``.

    Raises:
        UserError: TFDS does not know the name, configuration, feature or split; its files are not
            in the folder and cannot be downloaded; a file differs from its checksum; or two splits
            share examples.
    """

    def __init__(self, name: str, dataset: TfdsDataset, folder: Path) -> None:
        super().__init__(name, dataset, f"TFDS {dataset.name}")
        self._dataset: TfdsDataset = dataset
        self._root = folder / "tfds"
        self._builder = _builder(name, dataset.name, self._root)
        self._features = self._needed_features()
        self._classes = self._class_names()
        _prepare(self._builder, self._root, name)
        self._check_splits()

    def origin(self, split: str) -> str:
        return f"TFDS {self._builder.info.full_name}, split {self._names_there[split]}"

    def provenance(self) -> dict[str, Any]:
        builder = self._builder
        config = builder.builder_config.name if builder.builder_config else ""
        unknown = ("not stated", "not stated")
        licence, citation = LICENCES.get(
            f"{builder.name}/{config}", LICENCES.get(builder.name, unknown)
        )
        prepared = Path(builder.data_dir)
        return {
            "source": f"TFDS {builder.info.full_name}",
            "splits": dict(self._names_there),
            "files": {
                file.relative_to(self._root.parent).as_posix(): fingerprint(file)
                for file in sorted(prepared.iterdir())
                if ".tfrecord" in file.name
            },
            "licence": given(self._dataset.licence, licence),
            "citation": given(self._dataset.citation, citation),
        }

    def _records(self, split: str) -> Iterator[Mapping[str, Any]]:
        """The examples as NumPy values, in the order in which TFDS stored them."""
        with _quiet():
            import tensorflow_datasets as tfds

            data = self._builder.as_dataset(
                split=self._names_there[split],
                shuffle_files=False,
                # One shard after the other: if interleaved, the order would depend on their number.
                read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
                decoders=tfds.decode.PartialDecoding(dict.fromkeys(self._features, True)),
            )
        yield from tfds.as_numpy(data)

    def _decode(self, raw: Any, where: str) -> str:
        return decode(bytes(raw), self._dataset.tokenizer.bad_bytes, where)

    def _names(self, feature: str, values: Iterable[Any], where: str) -> list[str]:
        """Labels or tags as text: class numbers become names, others are kept as written."""
        classes = self._classes.get(feature)
        if classes is None:
            return [
                self._decode(value, where) if isinstance(value, bytes) else str(value)
                for value in values
            ]
        numbers = [int(value) for value in values]
        if any(number < 0 for number in numbers):
            raise UserError(
                f"{where}: has no label (-1); choose a labelled split for data set '{self.name}'"
            )
        return [classes[number] for number in numbers]

    def _labelled(self, record: Mapping[str, Any], where: str) -> Example:
        text, label = self._features
        [name] = self._names(label, [record[label]], where)
        return Example(text=self._decode(record[text], where), label=name)

    def _words_and_tags(self, record: Mapping[str, Any], where: str) -> tuple[list[str], list[str]]:
        tokens, tag_feature, *heads = self._features
        words = [self._decode(token, where) for token in record[tokens]]
        tags = self._names(tag_feature, record[tag_feature], where)
        if len(words) != len(tags):
            raise UserError(f"{where}: has {len(words)} {tokens} and {len(tags)} {tag_feature}")
        for feature in heads:
            # The CoNLL-U builder keeps multiword tokens (1-2) and empty nodes (1.1) among the words
            # of the sentence, but only words have a head.
            is_word = [head not in _ABSENT for head in self._names(feature, record[feature], where)]
            words, tags = list(compress(words, is_word)), list(compress(tags, is_word))
            if not _ABSENT.isdisjoint(tags):
                raise UserError(
                    f"{where}: has a word without {tag_feature}; choose another tags_feature for "
                    f"data set '{self.name}'"
                )
        return words, tags

    def _text(self, record: Mapping[str, Any], where: str) -> str:
        return self._decode(record[self._features[0]], where)

    def _needed_features(self) -> tuple[str, ...]:
        """The features to read: text, text and label, or tokens and tags (and heads)."""
        data = self._dataset
        available = self._builder.info.features
        parameters = {
            "labelled": ("text_feature", "label_feature"),
            "tagged": ("tokens_feature", "tags_feature"),
            "text": ("text_feature",),
        }[data.kind]
        names: list[str] = []
        for parameter in parameters:
            feature = getattr(data, parameter)
            if feature not in available:
                raise UserError(
                    f"data set '{self.name}': TFDS {data.name} has no feature '{feature}' "
                    f"({parameter}); {nearest(feature, available)}"
                )
            is_sequence = hasattr(available[feature], "feature")
            if is_sequence != (data.kind == "tagged"):
                found = "a sequence" if is_sequence else "a single value"
                raise UserError(
                    f"data set '{self.name}': feature '{feature}' of TFDS {data.name} is {found}, "
                    f"which {parameter} of kind {data.kind} cannot be"
                )
            names.append(feature)
        if data.kind == "tagged" and "head" in available:
            names.append("head")
        return tuple(names)

    def _class_names(self) -> dict[str, list[str]]:
        """The class names of each feature to read that has classes."""
        available = self._builder.info.features
        elements = {
            name: getattr(available[name], "feature", available[name]) for name in self._features
        }
        label = self._features[-1] if self.kind == "labelled" else None
        if label is not None and np.issubdtype(elements[label].np_dtype, np.floating):
            raise UserError(
                f"data set '{self.name}': feature '{label}' of TFDS {self._dataset.name} is a real "
                "number (label_feature), expected classes; choose another data set"
            )
        return {
            name: list(element.names)
            for name, element in elements.items()
            if hasattr(element, "names")
        }

    def _check_splits(self) -> None:
        """Raise UserError unless all split expressions are known and no example is in two of
        them."""
        available = self._builder.info.splits
        ranges: dict[str, list[tuple[str, int, int]]] = {}
        for split, expression in self._names_there.items():
            try:
                instructions = available[expression].file_instructions
            except (KeyError, ValueError, AssertionError):
                hint = nearest(expression, available)
                raise UserError(
                    f"data set '{self.name}': TFDS {self._dataset.name} has no split "
                    f"'{expression}' ({split}); {hint}"
                ) from None
            if not instructions:
                raise UserError(
                    f"{self.origin(split)}: has no examples; split {split} of data "
                    f"set '{self.name}' needs at least one"
                )
            ranges[split] = [
                (str(each.filename), each.skip, each.skip + each.examples_in_shard)
                if each.take < 0
                else (str(each.filename), each.skip, each.skip + each.take)
                for each in instructions
            ]
        for first, second in combinations(ranges, 2):
            for file, start, end in ranges[first]:
                for other, other_start, other_end in ranges[second]:
                    if file == other and start < other_end and other_start < end:
                        raise self._shared(first, second)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the logs and output of TFDS, and its progress bars if nobody watches.

    Standard output belongs to the command; the progress bars of TFDS go to standard error.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def _builder(name: str, tfds_name: str, root: Path) -> Any:
    """The TFDS builder of ``name``, ``name/config`` or either with ``:version``.

    Raises:
        UserError: TFDS has no such data set, configuration or version.
    """
    with _quiet():
        import tensorflow_datasets as tfds

        base, _, config = tfds_name.partition(":")[0].partition("/")
        names = tfds.list_builders(with_community_datasets=False)
        if base not in names:
            raise UserError(f"data set '{name}': TFDS has no '{base}'; {_hint(base, names)}")
        configs = list(tfds.builder_cls(base).builder_configs)
        if config and config not in configs:
            hint = _hint(config, configs)
            raise UserError(
                f"data set '{name}': TFDS {base} has no configuration '{config}'; {hint}"
            )
        if not config and len(configs) > 1:
            raise UserError(
                f"data set '{name}': TFDS {base} has {len(configs)} configurations; name one, "
                f"e.g. {base}/{configs[0]}"
            )
        try:
            return tfds.builder(tfds_name, data_dir=str(root))
        except (AssertionError, ValueError, ImportError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"data set '{name}': TFDS cannot build {tfds_name}: {reason}") from None


def _hint(name: str, valid: Sequence[str]) -> str:
    """The nearest of many names; all of them only if they fit on a line."""
    hint = nearest(name, valid)
    few = 20
    if hint.startswith("did you mean") or len(valid) <= few:
        return hint
    return "see https://www.tensorflow.org/datasets/catalog/overview"


def _prepare(builder: Any, root: Path, name: str) -> None:
    """Let the builder download and prepare its data, unless it already has."""
    if builder.data_path.exists():
        return
    manual = root / "manual" / builder.name
    try:
        root.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock

        # Two stages preparing the same data set at once would write to the same folder.
        with FileLock(root / f".{builder.name}.lock"), _quiet():
            _place(builder, manual, root / "downloads", name)
            _download_and_prepare(builder, manual, root / "downloads", name)
    except OSError as error:
        raise UserError(
            f"{error.filename or root}: cannot be written ({error.strerror or error}); TFDS "
            f"prepares data set '{name}' in {root}: make that a folder you may write to, or set "
            "NLP_RNN_DATA to one"
        ) from None


def _place(builder: Any, manual: Path, downloads: Path, name: str) -> None:
    """Find the files that were provided by hand, and make sure the others can be downloaded.

    Raises:
        UserError: a file is missing and cannot be downloaded, or differs from its checksum.
    """
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and not (manual.is_dir() and any(manual.iterdir())):
        instructions = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        raise UserError(
            f"data set '{name}': TFDS cannot download {builder.name}; put its files into {manual} "
            f"({instructions})"
        )
    # A builder that continues after its first request may take seconds to import TensorFlow; the
    # check for missing files need not wait for that.
    for first_request_only in (True, False):
        absent = [
            file
            for file in _wanted_files(builder, manual, first_request_only)
            if not _at_hand(file, manual, downloads, name)
        ]
        silent = unreachable({file.url for file in absent})
        if silent:
            files = "; ".join(f"{file.name} from {file.url}" for file in absent)
            raise UserError(
                f"data set '{name}': TFDS {builder.info.full_name} is not on this machine and "
                f"{', '.join(sorted(silent))} cannot be reached; connect to the network, or "
                f"put into {manual}: {files}"
            )


def _at_hand(file: _Wanted, manual: Path, downloads: Path, name: str) -> bool:
    """Whether a file was provided by hand or downloaded, so that the builder will find it."""
    from tensorflow_datasets.core.download import checksums, resource

    path = manual / file.name
    if not path.is_file():
        names = (resource.get_dl_fname(file.url, checksum) for checksum in (file.sha256, None))
        return any((downloads / cached).exists() for cached in names)
    if file.sha256 is not None:
        _verify(path, file, name)
        return True
    # The builder looks into the manual folder only if a checksum is registered, but always among
    # the downloads of earlier runs.
    cached = downloads / resource.get_dl_fname(file.url)
    downloads.mkdir(parents=True, exist_ok=True)
    cached.unlink(missing_ok=True)
    cached.symlink_to(path.resolve())
    resource.get_info_path(cached).unlink(missing_ok=True)
    resource.write_info_file(
        url=file.url,
        path=cached,
        dataset_name=name,
        original_fname=file.name,
        url_info=checksums.compute_url_info(path),
    )
    return True


def _verify(path: Path, file: _Wanted, name: str) -> None:
    found = sha256(path)
    if found != file.sha256:
        raise UserError(
            f"{path}: is not the file that TFDS expects for data set '{name}': expected SHA-256 "
            f"{file.sha256}, found {found}; download {file.url} again, or read your file with "
            "source: files"
        )


def _download_and_prepare(builder: Any, manual: Path, downloads: Path, name: str) -> None:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    config = tfds.download.DownloadConfig(manual_dir=str(manual), try_download_gcs=False)
    try:
        builder.download_and_prepare(download_dir=str(downloads), download_config=config)
    except NonMatchingChecksumError as error:
        reason = " ".join(str(error).split("To debug")[0].split())
        raise UserError(
            f"data set '{name}': {reason}; the file at its source has changed: put the one that "
            f"TFDS knows into {manual}, or read yours with source: files"
        ) from None
    # Each builder is different code, which fails in its own way if there is no network, the disk is
    # full or a file has a different layout.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"data set '{name}': TFDS could not download or prepare {builder.info.full_name}: "
            f"{reason}; fix this, or put its original files into {manual}"
        ) from error


class _Enough(Exception):
    """Stops a builder once it has requested its first files."""


class _Recorder:
    """A stand-in for a download manager that records the URLs that a builder requests."""

    def __init__(self, manual: Path, first_request_only: bool) -> None:
        from etils import epath

        self.urls: list[str] = []
        self.manual_dir = epath.Path(manual)
        self.download_dir = self.manual_dir
        self._first_request_only = first_request_only

    def download(self, tree: Any) -> Any:
        paths = self._note(tree)
        if self._first_request_only:
            raise _Enough
        return paths

    def _note(self, tree: Any) -> Any:
        if isinstance(tree, Mapping):
            return {key: self._note(value) for key, value in tree.items()}
        if isinstance(tree, (list, tuple)):
            return [self._note(value) for value in tree]
        url = getattr(tree, "url", tree)
        self.urls.append(str(url))
        return self.manual_dir / "absent"

    download_and_extract = download

    def extract(self, tree: Any) -> Any:
        return tree

    def iter_archive(self, _archive: Any) -> Iterator[Any]:
        return iter(())


def _wanted_files(builder: Any, manual: Path, first_request_only: bool) -> list[_Wanted]:
    """The files that the builder would download, found by letting it request them."""
    recorder = _Recorder(manual, first_request_only)
    # A builder may try to read the files that it requested, and fail in any way because they are
    # missing.
    with contextlib.suppress(Exception):
        builder._split_generators(recorder)
    registered = builder.url_infos or {}
    wanted = []
    for url in dict.fromkeys(recorder.urls):
        info = registered.get(url)
        name = (info and info.filename) or Path(urllib.parse.urlparse(url).path).name
        wanted.append(_Wanted(url, name, info.checksum if info else None))
    return wanted
