"""One encoding of predictions: the same through every door, with types that no text changes."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import mlflow
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.models import validate_schema
from mlflow.pyfunc import PyFuncModel, scoring_server

import nlp_rnn
from helpers.bundles import write_untrained
from helpers.tables import parquet_rows
from nlp_rnn.cli import main
from nlp_rnn.example import Example
from nlp_rnn.files import sha256
from nlp_rnn.inference import outputs, schema
from nlp_rnn.inference.predictor import LanguageModelPredictor
from nlp_rnn.tracking import pyfunc

LABELS = ["a.b", "a b", "ü", "A", "a", "label", "probabilities", 'x"y', "input_label", "key"]
CASES = ("classification", "labels", "tagging", "crf", "language_modelling")
ASKED: list[tuple[str, dict[str, Any]]] = [
    *((case, {}) for case in CASES),
    ("labels", {"review_below": 0.9}),
    ("tagging", {"review_below": 0.9}),
    ("crf", {"n_best": 3}),
    ("crf", {"n_best": 2, "review_below": 1.0}),
]
TEXTS = {
    "one": ["Ann Lee lives in Rome"],
    "empty": ["", " "],
    "many": ["Ann Lee lives in New York", "", "x", "très bien \u2028 \U0001f642", "the cat"] * 3,
}


@pytest.fixture(scope="session")
def folders(
    bundles: dict[str, Path], crf_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The bundle of each of :data:`CASES`."""
    examples = [Example(text=f"good {label}", label=label) for label in LABELS]
    odd = write_untrained(tmp_path_factory.mktemp("labels"), "classification", "labelled", examples)
    return {**bundles, "labels": odd, "crf": crf_bundle}


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> dict[str, Any]:
    return {case: nlp_rnn.load(folder) for case, folder in folders.items()}


def logged(bundle: Path, folder: Path) -> PyFuncModel:
    """A bundle as MLflow saves and loads it."""
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(pyfunc.__file__),
        artifacts={"bundle": str(bundle)},
        signature=pyfunc.BundleModel.of(bundle).signature(),
        pip_requirements=[],
    )
    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope="session")
def served(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, PyFuncModel]:
    return {
        case: logged(folder, tmp_path_factory.mktemp("mlflow") / case)
        for case, folder in folders.items()
    }


def post(model: PyFuncModel, body: Any) -> Any:
    """What MLflow's server answers to a request."""
    data = json.dumps(body).encode()
    inputs = model.metadata.get_input_schema()
    answer = scoring_server.invocations(data, "application/json", model, inputs)
    assert answer.status == 200

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(answer.response, parse_constant=refuse)["predictions"]


def written(
    bundle: Path, folder: Path, suffix: str, rows: list[dict[str, Any]], options: dict[str, Any]
) -> Path:
    """The file of predictions for some rows."""
    source, target = folder / "in.jsonl", folder / f"out{suffix}"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert main(["predict", str(bundle), str(source), str(target), *flags]) == 0
    return target


def json_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]


def records(texts: list[str]) -> list[dict[str, Any]]:
    return [{"text": text} for text in texts]


def assert_fits(value: Any, type_: Any) -> None:
    """Of the type that the schema says, all the way down."""
    if is_typeddict(type_):
        fields = get_type_hints(type_)
        assert list(value) == list(fields)
        for key, inner in fields.items():
            assert_fits(value[key], inner)
    elif get_origin(type_) is list:
        assert type(value) is list
        for member in value:
            assert_fits(member, get_args(type_)[0])
    elif get_origin(type_) is dict:
        assert type(value) is dict
        for key, member in value.items():
            assert type(key) is str
            assert_fits(member, get_args(type_)[1])
    else:
        assert type(value) is type_


# --- the schema ---------------------------------------------------------------------


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("case", "options"), ASKED)
def test_predictions_hold_what_the_schema_says(
    models: dict[str, Any], case: str, options: dict[str, Any], texts: list[str]
) -> None:
    predictor = models[case]._predictor.asked(type(models[case]._predictor.options)(**options))
    for prediction in models[case].predict(texts, **options):
        assert list(prediction) == list(predictor.columns)
        for name, type_ in predictor.columns.items():
            assert_fits(prediction[name], type_)


def test_a_classifier_of_odd_labels_knows_them_all(models: dict[str, Any]) -> None:
    assert set(models["labels"].predict("good")["probabilities"]) == set(LABELS)


# --- files --------------------------------------------------------------------------


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("case", "options"), ASKED)
def test_parquet_and_json_lines_hold_what_python_predicts(
    folders: dict[str, Path],
    models: dict[str, Any],
    tmp_path: Path,
    case: str,
    options: dict[str, Any],
    texts: list[str],
) -> None:
    predictions = models[case].predict(texts, **options)
    wanted = [
        {"text": text, **prediction} for text, prediction in zip(texts, predictions, strict=True)
    ]
    for suffix, read in ((".jsonl", json_rows), (".parquet", parquet_rows)):
        found = read(written(folders[case], tmp_path, suffix, records(texts), options))
        assert found == wanted
        assert list(found[0]) == list(wanted[0])


@pytest.mark.parametrize(("case", "options"), ASKED)
def test_the_schema_of_parquet_depends_on_no_text(
    folders: dict[str, Path], models: dict[str, Any], tmp_path: Path, case: str, options: Any
) -> None:
    schemas = [
        pq.read_schema(written(folders[case], tmp_path, ".parquet", records(texts), options))
        for texts in TEXTS.values()
    ]
    predictor = models[case]._predictor
    columns = predictor.asked(type(predictor.options)(**options)).columns
    target = tmp_path / "none.parquet"
    with outputs.open_writer(str(target), ".parquet", {"text": {str}}, columns):
        pass
    assert pq.read_table(target).num_rows == 0
    schemas.append(pq.read_schema(target))
    assert all(found.equals(schemas[0]) for found in schemas)
    wanted = [("text", pa.string())] + [
        (name, schema.arrow_type(type_)) for name, type_ in columns.items()
    ]
    assert schemas[0].equals(pa.schema(wanted))


def test_entities_of_nobody_are_an_empty_list_of_entities(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    file = written(folders["tagging"], tmp_path, ".parquet", records([""]), {})
    entities = pq.read_table(file)["entities"]
    assert entities.to_pylist() == [[]]
    fields = {field.name: str(field.type) for field in entities.type.value_type}
    places = {"start": "int64", "end": "int64"}
    assert fields == {"type": "string", **places, "text": "string", "probability": "double"}


@pytest.mark.parametrize("case", CASES)
def test_reserved_names_become_those_of_the_input(
    folders: dict[str, Path], models: dict[str, Any], tmp_path: Path, case: str
) -> None:
    """A column of the input that has the name of a prediction is renamed alike in both formats."""
    names = list(models[case].columns)
    row = {"text": "good", **{name: f"my {name}" for name in names}, "probability_a.b": 1.5}
    lines, table = (
        read(written(folders[case], tmp_path, suffix, [row], {}))
        for suffix, read in ((".jsonl", json_rows), (".parquet", parquet_rows))
    )
    assert lines == table
    assert list(lines[0]) == [
        "text", *(f"input_{name}" for name in names), "probability_a.b", *names,
    ]  # fmt: skip
    assert [lines[0][f"input_{name}"] for name in names] == [f"my {name}" for name in names]


def test_predictions_in_parquet_can_be_predicted_for_again(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    first = written(folders["labels"], tmp_path, ".parquet", records(["good", ""]), {})
    for suffix, read in ((".jsonl", json_rows), (".parquet", parquet_rows)):
        again = tmp_path / f"again{suffix}"
        assert main(["predict", str(folders["labels"]), str(first), str(again)]) == 0
        for row, before in zip(read(again), parquet_rows(first), strict=True):
            assert row["input_probabilities"] == before["probabilities"] == row["probabilities"]


@pytest.mark.slow
def test_what_is_no_number_is_null_in_files_and_over_http(
    folders: dict[str, Path],
    models: dict[str, Any],
    served: dict[str, PyFuncModel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predict = LanguageModelPredictor._prediction

    def broken(self: Any, tokens: Any, ids: Any, losses: Any) -> dict[str, Any]:
        odd = {3: -math.inf, 2: math.nan}.get(len(tokens))
        found = predict(self, tokens, ids, losses)
        return found | ({} if odd is None else {"log_probability": odd})

    monkeypatch.setattr(LanguageModelPredictor, "_prediction", broken)
    texts = ["the cat", "the", ""]
    infinite, nothing, number = (
        p["log_probability"] for p in models["language_modelling"].predict(texts)
    )
    assert infinite == -math.inf and math.isnan(nothing) and number < 0
    model = served["language_modelling"]
    for rows in (
        json_rows(written(folders["language_modelling"], tmp_path, ".jsonl", records(texts), {})),
        parquet_rows(
            written(folders["language_modelling"], tmp_path, ".parquet", records(texts), {})
        ),
        post(model, {"dataframe_records": records(texts)}),
    ):
        assert [row["log_probability"] for row in rows] == [None, None, number]


# --- pandas -------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "options"), ASKED)
def test_a_table_holds_what_python_predicts(
    models: dict[str, Any], case: str, options: dict[str, Any]
) -> None:
    frame = pd.DataFrame({"text": TEXTS["many"]}, index=range(7, 7 + len(TEXTS["many"])))
    found = models[case].predict_frame(frame, **options)
    assert found.drop(columns="text").to_dict("records") == models[case].predict(
        TEXTS["many"], **options
    )
    empty = models[case].predict_frame(frame[:0], **options)
    assert list(empty.columns) == list(found.columns)
    assert list(empty.dtypes) == list(found.dtypes)


# --- MLflow -------------------------------------------------------------------------


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("case", CASES)
def test_mlflow_and_its_server_answer_what_python_predicts(
    models: dict[str, Any], served: dict[str, PyFuncModel], case: str, texts: list[str]
) -> None:
    wanted = models[case].predict(texts)
    model, frame = served[case], pd.DataFrame({"text": texts})
    found = model.predict(frame)
    assert found.to_dict("records") == wanted
    validate_schema(found, model.metadata.get_output_schema())
    assert model.metadata.get_output_schema().input_names() == list(found.columns)
    for body in (
        {"dataframe_records": records(texts)},
        {"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}},
    ):
        assert post(model, body) == wanted


@pytest.mark.parametrize("case", CASES)
def test_the_signature_refuses_what_is_no_prediction(
    served: dict[str, PyFuncModel], case: str
) -> None:
    model = served[case]
    outputs = model.metadata.get_output_schema()
    found = model.predict(pd.DataFrame({"text": ["Ann Lee"]}))
    for name in found.columns:
        with pytest.raises(mlflow.MlflowException):
            validate_schema(found.drop(columns=name), outputs)
        if name != "label":
            with pytest.raises(mlflow.MlflowException):
                validate_schema(found.assign(**{name: ["a string"]}), outputs)
    with pytest.raises(mlflow.MlflowException, match="missing inputs"):
        model.predict(pd.DataFrame({"texts": ["Ann Lee"]}))


@pytest.mark.parametrize("case", CASES)
def test_no_text_gives_a_table_with_the_same_columns(
    served: dict[str, PyFuncModel], case: str
) -> None:
    none, one = (
        served[case].predict(pd.DataFrame({"text": texts}, dtype=object)) for texts in ([], ["a"])
    )
    assert none.empty
    assert list(none.dtypes.items()) == list(one.dtypes.items())


@pytest.mark.parametrize("case", CASES)
def test_spark_gets_nested_columns(served: dict[str, PyFuncModel], case: str) -> None:
    pytest.importorskip("pyspark")
    model = served[case]
    found = model.predict(pd.DataFrame({"text": TEXTS["many"]}))
    type_ = mlflow.pyfunc._infer_spark_udf_return_type(model.metadata.get_output_schema())
    assert type_.fieldNames() == list(found.columns)
    columns = mlflow.pyfunc._convert_struct_values(found, type_)
    if case in ("tagging", "crf"):
        rows = zip(columns["entities"], found["entities"], strict=True)
        assert all(entities == wanted for entities, wanted in rows)
        assert [list(tags) for tags in columns["tags"]] == list(found["tags"])
    if case in ("classification", "labels"):
        assert list(columns["probabilities"]) == list(found["probabilities"])


def remembering(bundle: Path, folder: Path, column: str) -> Path:
    """A copy of a bundle that was trained with texts in a column."""
    shutil.copytree(bundle, folder)
    change(folder, "data_card.json", {"reading": {"text_column": column}})
    return folder


def change(bundle: Path, file: str, changes: Mapping[str, Any]) -> None:
    """Change a part of a bundle, and its checksum."""
    part = bundle / file
    part.write_text(json.dumps(json.loads(part.read_text()) | dict(changes)))
    description = json.loads((bundle / "bundle.json").read_text())
    if file in description["sha256"]:
        description["sha256"][file] = sha256(part)
        (bundle / "bundle.json").write_text(json.dumps(description))


def test_the_text_is_in_the_column_of_the_training_data_or_in_text(
    folders: dict[str, Path], models: dict[str, Any], tmp_path: Path
) -> None:
    bundle = remembering(folders["classification"], tmp_path / "bundle", "review")
    model = logged(bundle, tmp_path / "model")
    wanted = models["classification"].predict(["good film"])
    for row in (
        {"text": "good film"},
        {"n": 3, "review": "good film"},
        {"text": "bad", "review": "good film"},
    ):
        assert model.predict(pd.DataFrame([row])).to_dict("records") == wanted
        assert post(model, {"dataframe_records": [row]}) == wanted
        named = {key: value for key, value in row.items() if key != "text" or len(row) == 1}
        found = nlp_rnn.load(bundle).predict_frame(pd.DataFrame([named]))
        assert found[list(wanted[0])].to_dict("records") == wanted
    with pytest.raises(nlp_rnn.UserError, match="has no column 'text'"):
        model.predict(pd.DataFrame({"body": ["good film"]}))


def test_a_list_of_texts_is_a_column_without_a_name(
    models: dict[str, Any], served: dict[str, PyFuncModel]
) -> None:
    model = served["tagging"].unwrap_python_model()
    texts: list[Any] = ["Ann sleeps", None, ["Ann", "sleeps"]]
    wanted = models["tagging"].predict(texts)
    assert model.predict(None, texts).to_dict("records") == wanted
    assert model.predict(None, pd.Series(texts)).to_dict("records") == wanted
    with pytest.raises(nlp_rnn.UserError, match="text 1: expected a text, found dict"):
        model.predict(None, ["Ann", {"text": "sleeps"}])


# --- models of earlier versions -----------------------------------------------------

OF_STRINGS = '''
"""What was logged before predictions were nested: lists and mappings are JSON strings."""
import json
from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class BundleModel(PythonModel):
    def load_context(self, context):
        from nlp_rnn.inference.predictor import Predictor

        self._predictor = Predictor.load(Path(context.artifacts["bundle"]))

    def predict(self, context, model_input: pd.DataFrame, params=None):
        texts = ["" if pd.isna(text) else text for text in model_input["text"]]
        return pd.DataFrame(
            [_plain(prediction) for prediction in self._predictor.predict(texts)],
            index=pd.RangeIndex(len(texts)),
        )


def _plain(prediction):
    return {
        key: json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
        for key, value in prediction.items()
    }


set_model(BundleModel())
'''


def earlier(bundle: Path, folder: Path, format: int) -> Path:
    """A copy of a bundle as a version of the package wrote it that knew only this format."""
    shutil.copytree(bundle, folder)
    if format == 4:
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tokenizer.pop("rules", None)
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        change(folder, "tokenizer.json", {})
    change(folder, "bundle.json", {"format": format})
    return folder


@pytest.mark.parametrize("format", [4, 5])
@pytest.mark.parametrize("case", ["classification", "tagging", "language_modelling"])
def test_a_model_logged_with_strings_answers_strings(
    folders: dict[str, Path], models: dict[str, Any], tmp_path: Path, case: str, format: int
) -> None:
    """A logged model keeps its own code and signature, whatever this package has become."""
    bundle = earlier(folders[case], tmp_path / "bundle", format)
    code = tmp_path / "logged.py"
    code.write_text(OF_STRINGS)
    texts = ["Ann Lee lives in Rome", ""]
    wanted = models[case].predict(texts)
    plain = [
        {key: json.dumps(v) if isinstance(v, dict | list) else v for key, v in row.items()}
        for row in wanted
    ]
    frame = pd.DataFrame({"text": texts})
    signature = mlflow.models.infer_signature(frame, pd.DataFrame(plain))
    mlflow.pyfunc.save_model(
        tmp_path / "model",
        python_model=str(code),
        artifacts={"bundle": str(bundle)},
        signature=signature,
        pip_requirements=[],
    )
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert model.metadata.signature == signature
    assert model.predict(frame).to_dict("records") == plain
    assert post(model, {"dataframe_records": records(texts)}) == plain


@pytest.mark.parametrize("format", [4, 5])
@pytest.mark.parametrize("case", ["classification", "tagging", "language_modelling"])
def test_a_bundle_of_an_earlier_format_is_served_nested(
    folders: dict[str, Path], models: dict[str, Any], tmp_path: Path, case: str, format: int
) -> None:
    model = logged(earlier(folders[case], tmp_path / "bundle", format), tmp_path / "model")
    texts = ["Ann Lee lives in Rome", ""]
    found = model.predict(pd.DataFrame({"text": texts}))
    assert found.to_dict("records") == models[case].predict(texts)
    validate_schema(found, model.metadata.get_output_schema())
