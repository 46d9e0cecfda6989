"""A prediction job: all that an engine needs, checked before the engine starts."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nlp_rnn.config import nearest
from nlp_rnn.corpora.dialects import Dialect
from nlp_rnn.corpora.settings import Setting, options_named
from nlp_rnn.corpora.tables import json_object
from nlp_rnn.engines.partition import Format, Work
from nlp_rnn.errors import UserError
from nlp_rnn.inference.inputs import TABLES, TEXT, check_readable, format_of
from nlp_rnn.inference.outputs import check_writable
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.inference.reading import Reading, Remembered, dialect_for, open_input
from nlp_rnn.runtime.bundle import Bundle

FORMATS = (*TABLES, ".jsonl", ".parquet")
"""The formats that engines read, by their suffixes."""

ANY = "*?["
"""The characters that make a name a pattern."""


@dataclass(frozen=True)
class Job:
    """Texts to predict for, and where the predictions go.

    Attributes:
        predictor: the model, whose columns the driver of the engine needs.
        input: as the user wrote it, for messages.
        files: the input files; a pattern of an object store stays one.
        suffix: their format, one of :data:`FORMATS`.
        dialect: of CSV and TSV.
        text_columns: the columns that may hold the text; the first that exists does.
        id_column: the column of the id; None numbers the rows.
        output: the folder to write.
        format: of the files in it.
    """

    predictor: Predictor
    input: str
    files: tuple[str, ...]
    suffix: str
    dialect: Dialect | None
    text_columns: tuple[str, ...]
    id_column: str | None
    output: str
    format: Format
    reading: Reading

    @property
    def bundle(self) -> Path:
        """The folder of the bundle on the driver's machine."""
        return self.predictor.bundle.folder.absolute()

    def work(self, columns: Sequence[str]) -> Work:
        """What workers do with files that have these columns.

        Raises:
            UserError: they lack the text or the id.
        """
        text = next((name for name in self.text_columns if name in columns), None)
        missing = {"--text-column": text or self.text_columns[-1], "--id-column": self.id_column}
        for option, name in missing.items():
            if name is not None and name not in columns:
                hint = nearest(name, columns)
                raise UserError(f"{self.input}: no column '{name}' ({option}); {hint}")
        assert text is not None
        bad_bytes = self.reading.bad_bytes or self.predictor.bundle.tokenizer.parameters.bad_bytes
        return Work(text, self.id_column, self.format, self.predictor.options, bad_bytes)


SAMPLE = 20
"""The number of lines of JSON in which the columns are looked for."""


def keys_of_lines(lines: Iterable[bytes]) -> list[str]:
    """The keys of the lines that are objects of JSON."""
    names: dict[str, None] = {}
    for line in lines:
        with suppress(UserError):
            names |= dict.fromkeys(json_object(line.decode("utf-8", "replace"), ""))
    return list(names)


def is_remote(name: str) -> bool:
    """Whether a name is an address, such as ``s3://bucket/texts.parquet``."""
    return "://" in name


def open_job(
    bundle_folder: Path,
    input: str,
    output: str,
    reading: Reading,
    options: Options,
    format: str | None,
    id_column: str | None,
) -> Job:
    """Check all that can be checked without an engine; see :func:`nlp_rnn.engines.predict_files`.

    Raises:
        UserError: an argument or the first file is at fault.
    """
    if format not in (None, "jsonl", "parquet"):
        raise UserError(f"--format {format}: engines write parquet or jsonl; choose one of them")
    if reading.word_column is not None:
        raise UserError("--word-column: is for .conll, which engines do not read; omit it")
    files = _matching(input)
    suffix = _common_suffix(input, files)
    _check_output(output)
    bundle = Bundle.open(bundle_folder)
    options.check(bundle, lambda name: Setting(name).as_option())
    dialect, text_columns, columns = _columns(files[0], suffix, reading, bundle)
    if dialect is not None and not dialect.header:
        raise UserError(
            f"{input}: engines read tables whose first row names the columns; if it does, set "
            "--header, otherwise add such a row"
        )
    job = Job(
        Predictor.of(bundle, options),
        *(input, files, suffix, dialect, text_columns, id_column, output),
        _format(format, suffix),
        reading,
    )
    if columns:
        job.work(columns)
    return job


def _format(given: str | None, suffix: str) -> Format:
    of_columns = given == "parquet" or (given is None and suffix == ".parquet")
    return "parquet" if of_columns else "jsonl"


def _matching(input: str) -> tuple[str, ...]:
    """The files that a name or a pattern means, sorted; an address stays as it is."""
    if is_remote(input):
        return (input,)
    if Path(input).is_dir():
        raise UserError(f"{input}: is a folder; name its files, such as '{input}/*.parquet'")
    if Path(input).is_file() or not set(ANY) & set(input):
        check_readable(input)
        return (str(Path(input).absolute()),)
    found = sorted(name for name in glob.glob(input, recursive=True) if Path(name).is_file())
    if not found:
        raise UserError(f"{input}: matches no file; check the pattern, and put it in quotes")
    return tuple(str(Path(name).absolute()) for name in found)


def _common_suffix(input: str, files: Sequence[str]) -> str:
    suffixes = {Path(file).suffix.lower() for file in files}
    if len(suffixes) > 1:
        raise UserError(
            f"{input}: matches files of several formats ({', '.join(sorted(suffixes))}); predict "
            "for each format by itself"
        )
    (suffix,) = suffixes
    if suffix not in FORMATS:
        raise UserError(
            f"{input}: engines read {', '.join(FORMATS)}; convert the file, or leave --engine out"
        )
    return format_of(files[0], "INPUT")


def _check_output(output: str) -> None:
    if is_remote(output):  # the engine asks the object store
        return
    if Path(output).exists():
        raise UserError(f"{output}: exists; name a new folder, which will hold the predictions")
    check_writable(output, output, folder=True)


def _columns(
    file: str, suffix: str, reading: Reading, bundle: Bundle
) -> tuple[Dialect | None, tuple[str, ...], Sequence[str]]:
    """The dialect, the columns that may hold the text, and those of a file on this machine."""
    remembered = Remembered.of(bundle)
    if is_remote(file):
        usual = [name for name in (remembered.text_column, TEXT) if isinstance(name, str)]
        names = [*usual, TEXT] if reading.text_column is None else [reading.text_column]
        return dialect_for(suffix, reading, remembered), tuple(dict.fromkeys(names)), ()
    bad_bytes = bundle.tokenizer.parameters.bad_bytes
    source = open_input(file, reading, remembered, bad_bytes)
    with options_named():
        columns = source.first_columns()
    if not columns:
        raise UserError(f"{file}: has no rows; expected one or more")
    return source.dialect, (source.text_column,), columns
