"""The page of ``export --format web`` in a real browser, beside Python's own predictions."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from helpers.browser import BROWSER, answer
from helpers.bundles import write_untrained
from nlp_rnn.browser.description import tokenizer as rules_of
from nlp_rnn.browser.export import PAGE, export_web
from nlp_rnn.browser.runtime import FOLDER
from nlp_rnn.browser.vectors import TEXTS
from nlp_rnn.cli import main
from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.inference.generation import PromptedModel, Sampling
from nlp_rnn.inference.predictor import LanguageModelPredictor, Predictor
from nlp_rnn.runtime.bundle import DESCRIPTION, describe
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.tokenizers import make_tokenizer

in_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

EVIL = (
    "</script></textarea><script>document.title='PWNED'</script>"
    "<img src=x onerror=\"document.title='PWNED'\"> \u202eright to left"
)


# --- tokenizers ------------------------------------------------------------------------------

PIECES = (
    *("don\u2019t", "dogs\u2019", "cafe\u0301", "\u2764\ufe0f", "1\ufe0f\u20e3", "\u200b"),
    *("\u00ad", "AT&T&copy"),
    *("\u0645\u06cc\u200c\u062e", "\u1781\u200b", "\x00", "\x1c", "\u2800", "\ufeff", "\u0130"),
    *("\U0001f468\u200d\U0001f469", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "\u0663"),
    *("&amp;", "&ampx", "&#x80;", "&#0", "&notin", "<br />", "<BR>", "&", " ", "\n", "A", "the"),
    *("\u03a3", "\u1112\u1161\u11ab", "\ufb01", "\u00bd", "<unk>", "\u2581", "theta", "_"),
)  # fmt: skip


def odd_texts(count: int) -> list[str]:
    """Texts of pieces on which tokenizers differ, and of any assigned characters."""
    draw = random.Random(1)

    def character() -> str:
        found = chr(draw.randrange(0x20, 0x30000))
        return found if unicodedata.category(found) not in ("Cs", "Cn", "Co") else "x"

    def piece() -> str:
        return draw.choice(PIECES) if draw.random() < 0.7 else character()

    return ["".join(piece() for _ in range(draw.randrange(9))) for _ in range(count)]


def parameters() -> Iterator[TokenizerParameters]:
    for unit, html in product(("word", "whitespace", "character", "subword"), (False, True)):
        if not (unit == "character" and html):
            yield TokenizerParameters(
                unit=unit,
                html_breaks=html,
                lowercase=html,
                digits="zero" if html else "keep",
                unicode="NFKC" if html else "NFC",
            )


def placed(tokenizer: Tokenizer) -> Callable[[str], Any]:
    """Tokens with their places, as JSON has them."""
    return lambda text: [list(span) for span in tokenizer.spans(text)]


@pytest.mark.slow
@in_a_browser
def test_javascript_splits_texts_as_python_does(tmp_path: Path) -> None:
    """Tokens and their places, of all units that do not need a network."""
    pytest.importorskip("tokenizers", reason="the extra 'subword' is not installed")
    texts, cases, expected = [*TEXTS, *odd_texts(400)], [], []
    for options in parameters():
        made = make_tokenizer(options)
        made.fit(["The theatre, the theta; there and then", *TEXTS[:4]], 60)
        if options.unit == "subword":
            made.save(tmp_path)
        cases.append(rules_of(options, tmp_path))
        whole = options.unit == "subword"  # the page never asks for the places of subwords
        expected.append(
            [made.tokens(t) if whole else list(map(list, made.spans(t))) for t in texts]
        )
    folder = shutil.copytree(PAGE, tmp_path / "page")
    (folder / "cases.json").write_text(json.dumps([cases, texts]))
    script = """
        const {Tokenizer} = await import("/tokenizer.js");
        const {SubwordTokenizer} = await import("/subwords.js");
        const [cases, texts] = await (await fetch("/cases.json")).json();
        const count = text => [...text].length;
        return cases.map(rules => {
          if (rules.unit === "subword") {
            const tokenizer = new SubwordTokenizer(rules);
            return texts.map(text => tokenizer.tokens(text));
          }
          const tokenizer = new Tokenizer(rules);
          return texts.map(text => tokenizer.spans(text).map(({token, start, end}) =>
            [token, count(text.slice(0, start)), count(text.slice(0, end))]));
        });
    """
    found = answer(folder, script, tmp_path / "profile")
    for rules, ours, theirs in zip(cases, expected, found, strict=True):
        for text, one, other in zip(texts, ours, theirs, strict=True):
            assert one == other, (rules["unit"], text)


# --- predictions -------------------------------------------------------------------------------


def edited(
    source: Path, target: Path, edit: Callable[[dict[str, Any]], None], **tokenizer: Any
) -> Path:
    """A copy of a bundle with another description and other parameters of its tokenizer."""
    shutil.copytree(source, target)
    description = json.loads((target / DESCRIPTION).read_text())
    edit(description)
    if tokenizer:
        kept = json.loads((target / "tokenizer.json").read_text())
        (target / "tokenizer.json").write_text(json.dumps(kept | tokenizer))
    (target / DESCRIPTION).unlink()
    rest = {key: value for key, value in description.items() if key not in ("format", "sha256")}
    describe(target, **rest)
    return target


@pytest.fixture(scope="module")
def models(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained bundles of every kind that the page has, with options that change predictions."""
    folder = tmp_path_factory.mktemp("models")

    def classifier(description: dict[str, Any]) -> None:
        description["figures"]["temperature"] = 0.7
        description["experiment"]["training"] |= {"max_length": 5, "long_texts": "both"}

    def encoder_decoder(description: dict[str, Any]) -> None:
        description["experiment"]["model"]["reversed_source"] = True
        description["experiment"]["decoding"] |= {"coverage_penalty": 0.3, "unknown": "copy"}

    sentences = [
        Example(tokens=("Ann", "Lee", "lives", "in", "Rome"), tags=("B-A", "I-A", "O", "O", "B-B")),
        Example(tokens=("New", "York"), tags=("B-B", "I-B")),
    ]
    crf = {"output": "crf", "tag_scheme": "BIOES", "characters": {"kind": "cnn", "longest": 5}}
    crf_tagger = write_untrained(folder / "written", "tagging", "tagged", sentences, crf, 0.5)
    return {
        "classifier": edited(
            bundles["classification"], folder / "a", classifier, unit="word", html_breaks=True
        ),
        "tagger": bundles["tagging"],
        "crf": edited(crf_tagger, folder / "b", lambda d: d["figures"].update(temperature=1.7)),
        "language_model": bundles["language_modelling"],
        "encoder_decoder": edited(bundles["sequence_to_sequence"], folder / "c", encoder_decoder),
    }


@pytest.fixture(scope="module")
def runtime() -> Path:
    """The npm package of ONNX Runtime Web, where it is present."""
    if folder := os.environ.get("NLP_RNN_ONNXRUNTIME_WEB"):
        return Path(folder)
    pytest.skip("NLP_RNN_ONNXRUNTIME_WEB names no unpacked npm package of onnxruntime-web")


@pytest.fixture(scope="module")
def pages(runtime: Path, models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of each model."""
    folder = tmp_path_factory.mktemp("pages")
    for name, bundle in models.items():
        export_web(bundle, folder / name, runtime)
    shutil.copytree(folder / "tagger", folder / "wrong")
    spoil(folder / "wrong" / "test_vectors.json")
    return folder


def spoil(file: Path) -> None:
    """Keep four predictions of a tagger, three of them each with another mistake."""
    whole = json.loads(file.read_text())
    kept = [v for v in whole["vectors"] if v["of"] == "predict" and v["expected"]["tokens"]][:4]
    kept[0]["expected"]["probabilities"][0] += 0.001
    kept[1]["expected"]["tags"][0] += "x"
    kept[2]["expected"]["tokens"].append("more")
    file.write_text(json.dumps(whole | {"vectors": kept}))


GIVEN = {
    "classifier": f"good &amp; bad {EVIL}",
    "tagger": f"Ann Lee lives in Rome {EVIL}",
    "crf": "Ann Lee lives in Rome",
    "language_model": "the cat",
    "encoder_decoder": f"the cat {EVIL}",
}
"""The text that each page gets."""

VISIT = """
    async function tested(name) {
      const page = await opened(`/${name}/?selftest`), root = page.documentElement;
      await until(() => root.dataset.selftest ?? root.dataset.failed);
      await until(() => !page.getElementById("go").disabled);
      return page;
    }
    const found = {}, wrong = await tested("wrong");
    for (const [name, text] of Object.entries(TEXTS)) {
      const page = await tested(name), {selftest} = page.documentElement.dataset;
      const report = page.getElementById("result").innerText;
      if (name === "language_model") {
        page.getElementById("temperature").value = 0;
        page.getElementById("length").value = 7;
      }
      const result = await predicted(page, text), all = part => [...result.querySelectorAll(part)];
      const texts = part => all(part).map(each => each.textContent);
      const {performance} = page.defaultView;
      found[name] = {
        selftest, report, title: page.title, text: texts(".text"), marks: texts("mark"),
        rows: all("tbody tr").map(row => [...row.cells].map(cell => cell.textContent)),
        cells: all(".heat td[title]").map(cell => [cell.title, cell.style.background]),
        scripts: all("script, img").length, status: page.getElementById("status").textContent,
        origin: location.origin, addresses: performance.getEntries().map(entry => entry.name),
      };
      const image = `<img src=x onerror="document.title='PWNED'">`;
      page.body.insertAdjacentHTML("beforeend", image);
      await new Promise(later => setTimeout(later, 50));
      found[name].later = page.title;
    }
    const {selftest} = wrong.documentElement.dataset;
    return {...found, wrong: {selftest, report: wrong.getElementById("result").innerText}};
"""


@pytest.fixture(scope="module")
def visited(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each page shows after its self-test, and then for a text."""
    script = VISIT.replace("TEXTS", json.dumps(GIVEN).replace("</", "<\\/"))
    found: dict[str, Any] = answer(pages, script, tmp_path_factory.mktemp("browser") / "profile")
    return found


@pytest.mark.slow
@in_a_browser
def test_every_page_predicts_as_python_does(visited: dict[str, Any], pages: Path) -> None:
    for name in GIVEN:
        page = visited[name]
        vectors = json.loads((pages / name / "test_vectors.json").read_text())["vectors"]
        assert page["selftest"] == "passed", (name, page["report"], page["status"])
        assert f"{len(vectors)} of {len(vectors)} results" in page["report"]


@pytest.mark.slow
@in_a_browser
def test_a_wrong_expectation_fails_the_self_test(visited: dict[str, Any]) -> None:
    found = visited["wrong"]
    assert found["selftest"] == "failed" and "1 of 4 results" in found["report"]
    assert ".tags.0" in found["report"] and ".tokens." in found["report"]


@pytest.mark.slow
@in_a_browser
def test_hostile_texts_are_shown_and_never_run(visited: dict[str, Any]) -> None:
    for name in GIVEN:
        page = visited[name]
        assert page["title"] == page["later"] == "mine", name  # the name of the bundle
        assert page["scripts"] == 0 and page["status"] == ""
    shown = re.sub("PER|LOC", "", visited["tagger"]["text"][0])  # without the types of entities
    assert "<script>document.title='PWNED'</script>" in shown
    assert "‹U+202E›right to left" in shown


@pytest.mark.slow
@in_a_browser
def test_a_page_asks_its_own_server_alone(visited: dict[str, Any]) -> None:
    for name in GIVEN:
        page = visited[name]
        loaded = [address for address in page["addresses"] if "://" in address]
        assert len(loaded) > 5
        assert all(address.startswith(page["origin"]) for address in loaded)


@pytest.mark.slow
@in_a_browser
def test_pages_show_what_python_predicts(visited: dict[str, Any], models: dict[str, Path]) -> None:
    def python(name: str) -> Any:
        (found,) = Predictor.load(models[name]).predict([GIVEN[name]])
        return found

    probabilities = python("classifier")["probabilities"]
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    assert [row[:2] for row in visited["classifier"]["rows"]] == [
        [label, f"{value:.3f}"] for label, value in ranked
    ]
    for name in ("tagger", "crf"):
        found = python(name)
        rows = zip(found["tokens"], found["tags"], found["probabilities"], strict=True)
        words = [[token.replace("\u202e", "‹U+202E›"), tag, f"{p:.3f}"] for token, tag, p in rows]
        assert visited[name]["rows"] == words
        marks = [each["text"] + each["type"] for each in found["entities"]]
        assert [mark.replace("‹U+202E›", "\u202e") for mark in visited[name]["marks"]] == marks
    assert visited["crf"]["marks"] or visited["tagger"]["marks"]
    written = python("encoder_decoder")["output"]
    assert visited["encoder_decoder"]["text"][0].replace("‹U+202E›", "\u202e") == written
    model = Predictor.load(models["language_model"])
    assert isinstance(model, LanguageModelPredictor)
    prompted = PromptedModel(model, "the cat")
    (continuation,) = prompted.samples(7, Sampling(temperature=0.0))
    assert visited["language_model"]["text"][0] == f"the cat{continuation}"


@pytest.mark.slow
@in_a_browser
def test_the_heat_map_has_a_cell_for_each_pair_of_tokens(
    visited: dict[str, Any], models: dict[str, Path]
) -> None:
    model = Predictor.load(models["encoder_decoder"])
    asked = model.asked(type(model.options)(attention=True))
    (found,) = asked.predict([GIVEN["encoder_decoder"]])
    cells = [
        (f"{written} ← {read}: {weight:.3f}", weight)
        for written, row in zip(
            found["attention"]["output"], found["attention"]["weights"], strict=True
        )
        for read, weight in zip(found["attention"]["source"], row, strict=True)
    ]
    shown = visited["encoder_decoder"]["cells"]
    assert [title for title, _ in shown] == [title for title, _ in cells]
    assert all(background.startswith("rgb") for _, background in shown)


@pytest.mark.slow
@in_a_browser
def test_a_page_without_its_runtime_says_what_is_missing(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    export_web(bundles["classification"], tmp_path / "pages" / "page")
    script = """return (await opened("/page/")).getElementById("status").textContent;"""
    message = answer(tmp_path / "pages", script, tmp_path / "profile")
    assert "ort.wasm.bundle.min.js and ort-wasm-simd-threaded.wasm" in message
    assert "npm pack onnxruntime-web@" in (tmp_path / "pages" / "page" / "README.md").read_text()


# --- the folder ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_page_is_small_beside_its_network(bundles: dict[str, Path], tmp_path: Path) -> None:
    assert main(["export", str(bundles["tagging"]), str(tmp_path / "p"), "--format", "web"]) == 0
    sizes = {file.name: file.stat().st_size for file in (tmp_path / "p").iterdir()}
    assert sum(size for name, size in sizes.items() if name != "model.onnx") < 200_000
    assert FOLDER not in sizes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "edit", "tokenizer", "message"),
    [
        ("semantic_roles", {}, {}, "is a model for semantic_roles"),
        ("classification", {}, {"rules": 1}, "its tokenizer follows rules 1"),
        (
            "sequence_to_sequence",
            {"well_formed": True},
            {},
            r"decoding\.well_formed.*--format onnx",
        ),
    ],
)
def test_what_javascript_cannot_do_is_refused(
    bundles: dict[str, Path],
    tmp_path: Path,
    task: str,
    edit: dict[str, Any],
    tokenizer: dict[str, Any],
    message: str,
) -> None:
    def edited_decoding(description: dict[str, Any]) -> None:
        if edit:
            description["experiment"]["decoding"] |= edit

    bundle = edited(bundles[task], tmp_path / "bundle", edited_decoding, **tokenizer)
    with pytest.raises(UserError, match=message):
        export_web(bundle, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_only_the_files_of_the_runtime_are_copied(bundles: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks ort\.wasm\.bundle\.min\.mjs; fetch it with: npm"):
        export_web(bundles["tagging"], tmp_path / "page", tmp_path)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "ort.wasm.bundle.min.mjs").write_text("alert(1)")
    with pytest.raises(UserError, match=r"is not that of version .*checksum differs"):
        export_web(bundles["tagging"], tmp_path / "page", tmp_path)
    assert not (tmp_path / "page").exists()


def test_a_page_may_have_weights_of_8_bits(bundles: dict[str, Path], tmp_path: Path) -> None:
    page, options = tmp_path / "page", ["--format", "web", "--int8"]
    assert main(["export", str(bundles["tagging"]), str(page), *options]) == 0
    original = (bundles["tagging"] / "model.onnx").read_bytes()
    assert (page / "model.onnx").read_bytes() != original
    assert json.loads((page / "test_vectors.json").read_text())["tolerance"] == 0.01
    with pytest.raises(UserError, match=str(bundles["semantic_roles"])):  # not a temporary folder
        export_web(bundles["semantic_roles"], tmp_path / "other", int8=True)


def test_a_runtime_needs_a_page(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "page")
    assert main(["export", str(bundles["tagging"]), target, "--runtime", "package"]) == 2
    assert "--runtime: is for the page of --format web" in capsys.readouterr().err
