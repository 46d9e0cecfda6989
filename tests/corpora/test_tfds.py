"""TFDS without network: names, files placed by hand, and the real builders on them."""

import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from nlp_rnn.config import TfdsDataset
from nlp_rnn.corpora import data_folder, open_corpus, tfds
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host has an address, on whatever machine the tests run."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.create_connection", refuse)


def opened(folder: Path, name: str, kind: str, **parameters: object) -> Corpus:
    dataset = {"source": "tfds", "name": name, "kind": kind, **parameters}
    return open_corpus("mine", TfdsDataset.model_validate(dataset), folder)


def fault(folder: Path, name: str, kind: str, **parameters: object) -> str:
    with pytest.raises(UserError) as caught:
        opened(folder, name, kind, **parameters)
    message = str(caught.value)
    assert "\n" not in message and "'mine'" in message
    return message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "folder", "files"),
    [
        ("imdb_reviews", "labelled", "imdb_reviews", ["aclImdb_v1.tar.gz from http://ai.stan"]),
        ("tiny_shakespeare", "text", "tiny_shakespeare", ["input.txt from https://raw.github"]),
        ("wikiann/en", "tagged", "wikiann", ["panx_dataset.tar from https://www.dropbox.com"]),
        (
            "universal_dependencies/en_ewt",
            "tagged",
            "universal_dependencies",
            [f"en_ewt-ud-{split}.conllu from https://raw" for split in ("train", "dev", "test")],
        ),
    ],
)
def test_offline_the_files_and_their_folder_are_named_at_once(
    tmp_path: Path, name: str, kind: str, folder: str, files: list[str]
) -> None:
    tags = {"tags_feature": "upos"} if "universal" in name else {}
    message = fault(tmp_path, name, kind, **tags)
    assert "cannot be reached" in message and str(tmp_path / "tfds/manual" / folder) in message
    for file in files:
        assert file in message


@pytest.mark.slow
def test_a_name_server_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlp_rnn.corpora.download.SECONDS", 0.3)

    ended = threading.Event()

    def hang(*_: object, **__: object) -> None:
        ended.wait(60)
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("socket.create_connection", hang)
    try:
        assert "cannot be reached" in fault(tmp_path, "imdb_reviews", "labelled")
    finally:
        ended.set()


def test_a_proxy_is_asked_instead_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert "proxy.example cannot be reached" in fault(tmp_path, "imdb_reviews", "labelled")


@pytest.mark.parametrize(
    ("name", "parameters", "parts"),
    [
        ("imdb_review", {}, ("TFDS has no 'imdb_review'", "did you mean 'imdb_reviews'?")),
        ("zzzz", {}, ("TFDS has no 'zzzz'", "catalog")),
        ("glue/sst", {}, ("no configuration 'sst'", "did you mean 'sst2'?")),
        ("glue", {}, ("12 configurations", "name one, e.g. glue/")),
        ("imdb_reviews:9.9.9", {}, ("cannot be loaded at version 9.9.9",)),
        ("imdb_reviews", {"text_feature": "texts"}, ("'texts' (text_feature)", "'text'?")),
        ("conll2003", {"text_feature": "tokens", "label_feature": "ner"}, ("is a sequence",)),
    ],
)
def test_wrong_names(
    tmp_path: Path, name: str, parameters: dict[str, object], parts: tuple[str, ...]
) -> None:
    message = fault(tmp_path, name, "labelled", **parameters)
    assert all(part in message for part in parts), message


def test_the_same_expression_twice_is_refused_before_any_download(tmp_path: Path) -> None:
    message = fault(tmp_path, "imdb_reviews", "labelled", validation="test", test="test")
    assert "validation 'test' and test 'test'" in message and "share examples" in message


def test_a_file_that_is_not_what_tfds_knows(tmp_path: Path) -> None:
    manual = tmp_path / "tfds/manual/imdb_reviews"
    manual.mkdir(parents=True)
    (manual / "aclImdb_v1.tar.gz").write_bytes(b"another archive")
    message = fault(tmp_path, "imdb_reviews", "labelled")
    assert str(manual / "aclImdb_v1.tar.gz") in message
    assert "expected SHA-256 c40f74a1" in message and "source: files" in message


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "tfds").write_text("a file where the folder should be")
    assert str(tmp_path / "tfds") in fault(tmp_path, "imdb_reviews", "labelled")


# --- the real builders, on files placed by hand -------------------------------------

NER = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

Peter NNP B-NP I-PER
Blackburn NNP I-NP I-PER

"""


@pytest.fixture(scope="module")
def entities_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an archive of the layout that TFDS conll2003 downloads."""
    folder = tmp_path_factory.mktemp("data")
    manual = folder / "tfds/manual/conll2003"
    manual.mkdir(parents=True)
    with zipfile.ZipFile(manual / "conll2003.zip", "w") as archive:
        for number, name in enumerate(("train.txt", "valid.txt", "test.txt")):
            archive.writestr(name, NER.replace("Peter", f"Peter{number}"))
    return folder


def entities(folder: Path, **parameters: object) -> Corpus:
    given = {"tags_feature": "ner", "validation": "dev", "scheme": "IOB1", **parameters}
    return opened(folder, "conll2003", "tagged", **given)


@pytest.mark.slow
def test_conll_2003_from_an_archive_without_checksum(
    entities_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    corpus = entities(entities_folder, test="test")
    assert corpus.splits() == ("train", "validation", "test")
    for number, split in enumerate(corpus.splits()):
        assert sorted(corpus.read(split), key=lambda each: each.tokens) == [
            Example(tokens=("EU", "rejects"), tags=("B-ORG", "O")),
            Example(tokens=(f"Peter{number}", "Blackburn"), tags=("B-PER", "I-PER")),
        ]
    assert list(corpus.read("train")) == list(corpus.read("train"))
    assert capfd.readouterr().out == ""
    provenance = corpus.provenance()
    assert provenance["source"] == "TFDS conll2003/conll2003/1.0.0"
    assert "research" in provenance["licence"] and "Tjong Kim Sang" in provenance["citation"]
    assert provenance["files"]
    for name, found in provenance["files"].items():
        assert (entities_folder / name).stat().st_size == found["bytes"]
    mine = entities(entities_folder, licence="mine", citation="me").provenance()
    assert (mine["licence"], mine["citation"]) == ("mine", "me")


def test_split_expressions_are_checked_for_shared_examples(entities_folder: Path) -> None:
    entities(entities_folder, train="train[:2]", validation="train[2:]")
    with pytest.raises(UserError, match=r"validation 'train\[1:\]' .* share examples"):
        entities(entities_folder, train="train[:2]", validation="train[1:]")
    with pytest.raises(UserError, match=r"no split 'valid' \(validation\)"):
        entities(entities_folder, validation="valid")


def test_a_split_without_examples_is_named(entities_folder: Path) -> None:
    with pytest.raises(UserError, match=r"split dev\[:0\]: has no examples; split validation"):
        entities(entities_folder, validation="dev[:0]")


def test_tags_that_do_not_fit_the_scheme(entities_folder: Path) -> None:
    corpus = entities(entities_folder, tags_feature="pos")
    with pytest.raises(
        UserError, match=r"conll2003.*example \d, word \d: expected a tag O, B-TYPE"
    ):
        list(corpus.read("train"))


WORDS = [
    ("1-2", "im", "_", "_"),
    ("1", "in", "ADP", "3"),
    ("2", "dem", "DET", "3"),
    ("2.1", "leer", "VERB", "_"),
    ("3", "Haus", "NOUN", "0"),
]


@pytest.mark.slow
def test_only_words_of_conllu_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow_datasets

    builder = tensorflow_datasets.builder_cls("universal_dependencies")
    manual = tmp_path / "tfds/manual/universal_dependencies"
    manual.mkdir(parents=True)
    rows = (
        f"{identifier}\t{form}\t_\t{upos}\t{upos}\t_\t{head}\t_\t_\t_"
        for identifier, form, upos, head in WORDS
    )
    content = "# sent_id = 1\n# text = im Haus\n" + "\n".join(rows) + "\n\n"
    for split in ("train", "dev", "test"):
        name = f"de_gsd-ud-{split}.conllu"
        (manual / name).write_text(content)
        # These are not the files of the treebank, so TFDS must not know their checksums.
        for url in [url for url in builder.url_infos if url.endswith(name)]:
            monkeypatch.delitem(builder.url_infos, url)
    name, expected = "universal_dependencies/de_gsd", ("in", "dem", "Haus")
    for feature in ("upos", "xpos"):
        corpus = opened(tmp_path, name, "tagged", tags_feature=feature)
        assert list(corpus.read("train")) == [Example(tokens=expected, tags=("ADP", "DET", "NOUN"))]


@pytest.mark.slow
def test_tiny_shakespeare_from_a_local_file(tmp_path: Path) -> None:
    source = data_folder() / "tinyshakespeare/input.txt"
    if not source.exists():
        pytest.skip("no tinyshakespeare/input.txt in the folder that NLP_RNN_DATA names")
    manual = tmp_path / "tfds/manual/tiny_shakespeare"
    manual.mkdir(parents=True)
    shutil.copy(source, manual)
    parameters = {"validation": "validation", "test": "test"}
    corpus = opened(tmp_path, "tiny_shakespeare", "text", **parameters)
    texts = ["\n".join(each.text for each in corpus.read(split)) for split in corpus.splits()]
    # TFDS cuts by characters, within lines: put together, its splits are the file.
    assert source.read_text() == "".join(texts) + "\n"
    assert next(iter(corpus.read("train"))) == Example(text="First Citizen:")
    assert "public domain" in corpus.provenance()["licence"]


def test_classes_are_named_and_unlabelled_examples_refused(entities_folder: Path) -> None:
    corpus = entities(entities_folder)
    assert isinstance(corpus, tfds.TfdsCorpus)
    assert corpus._names("ner", [0, 1], "here") == ["O", "B-PER"]
    with pytest.raises(UserError, match=r"here: has no label \(-1\); choose a labelled split"):
        corpus._names("ner", [0, -1], "here")


def test_real_numbers_are_no_labels(tmp_path: Path) -> None:
    message = fault(tmp_path, "glue/stsb", "labelled", text_feature="sentence1")
    assert "'label'" in message and "a real number" in message


def test_a_file_of_another_layout(tmp_path: Path) -> None:
    manual = tmp_path / "tfds/manual/conll2003"
    manual.mkdir(parents=True)
    with zipfile.ZipFile(manual / "conll2003.zip", "w") as archive:
        archive.writestr("README", "no data")
    message = fault(tmp_path, "conll2003", "tagged", tags_feature="ner")
    assert "could not download or prepare conll2003" in message and str(manual) in message
