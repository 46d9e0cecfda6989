"""Explain the predictions for some texts: writes a page, a plot and a record for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn.config import nearest
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.propositions import PREDICATE
from nlp_rnn.drawing import save
from nlp_rnn.errors import UserError
from nlp_rnn.explanation.heads import Head, head_of_texts, head_of_words
from nlp_rnn.files import check_folder, write_json_lines
from nlp_rnn.inference.looking import first_texts
from nlp_rnn.inference.predictor import LabelSetPredictor, Options, Predictor
from nlp_rnn.inspection.page import page, table, write_page
from nlp_rnn.inspection.panel import Panel, Piece, pieces
from nlp_rnn.inspection.picture import picture
from nlp_rnn.process import log, terminable
from nlp_rnn.progress import progress
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.text.batches import Encoded
from nlp_rnn.text.entities import entity_spans
from nlp_rnn.text.rules import Span

if TYPE_CHECKING:
    import keras

    from nlp_rnn.explanation.attribution import Attribution, Explainer

MOST_TEXTS = 20
"""The number of texts that are explained unless another is asked for."""

MOST_TAGS = 10
"""The number of tags that are explained in a sentence."""

NAMED = 0.2
"""The share of the tokens that the test of faithfulness removes."""

DRAWS = 10
"""The number of random sets of as many tokens that it compares with."""

PAGE, PICTURE, RECORDS = "explanations.html", "explanations.png", "explanations.jsonl"

METHODS = ("integrated_gradients", "occlusion")


@dataclass(frozen=True)
class Explanation:
    """Why one label was predicted.

    Attributes:
        text: the raw text.
        label: the label that is explained.
        probability: its probability.
        spans: the tokens that the model reads, with their offsets in the text.
        attribution: how much each of these supports the label.
        place: the token that has the label as its tag; None for the label of a text.
        predicate: the token whose argument begins at ``place``; None if the label is no role.
    """

    text: str
    label: str
    probability: float
    spans: Sequence[Span]
    attribution: Attribution
    place: int | None = None
    predicate: int | None = None

    def record(self) -> dict[str, Any]:
        """The explanation as JSON."""
        found: dict[str, Any] = {
            "text": self.text,
            "label": self.label,
            "probability": self.probability,
        }
        if self.place is not None:
            found["token"] = self.place + 1
        if self.predicate is not None:
            found["predicate"] = self.predicate + 1
        found |= {
            "tokens": [self.text[start:end] for _, start, end in self.spans],
            "start": [start for _, start, _ in self.spans],
            "end": [end for _, _, end in self.spans],
        }
        attribution = asdict(self.attribution)
        found |= {name: attribution[name].tolist() for name in METHODS}
        return found | {"completeness_error": abs(self.attribution.missing)}


def explain(
    folder: Path,
    text_file: Path,
    target: Path,
    label: str | None = None,
    most: int = MOST_TEXTS,
    bad_bytes: BadBytes | None = None,
) -> None:
    """Write ``explanations.html``, ``.png`` and ``.jsonl`` into the folder ``target``.

    Args:
        folder: the bundle of a classifier, a tagger or both at once, or of a tagger of semantic
            roles, with Keras weights.
        text_file: a text in each line.
        target: the folder, created if it is missing; the three files in it are replaced.
        label: the label to explain; None explains what is predicted.
        most: the number of texts that are explained, the first of the file.
        bad_bytes: how to treat undecodable UTF-8; None means as in training.

    Raises:
        UserError: the bundle, the text or the label is invalid.
    """
    check_folder(target)
    bundle = Bundle.open(folder)
    outputs = explaining(bundle, label)
    texts = first_texts(bundle, text_file, most, bad_bytes)
    found: list[Explanation] = []
    with terminable(), progress(None, "explaining", "texts", len(texts)) as bar:
        for text in texts:
            found += [each for output in outputs for each in output.of_text(text)]
            bar.update(1)
    if not found:
        what = outputs[0].looked_for
        raise UserError(f"{text_file}: no {what} is predicted in its first {len(texts)} lines")
    _write(target, bundle, found, [row for output in outputs for row in output.faithfulness(found)])


class Explaining:
    """Explains the predictions of a classifier or a tagger, or of one output of both at once.

    Args:
        predictor: the model.
        network: loads its Keras model.
        label: the label to explain; None explains what is predicted.
    """

    head_of: Callable[[Bundle], Head]
    """The output of the network that is explained."""

    looked_for = "entity"
    """What a text may lack, so that nothing is explained."""

    def __init__(
        self, predictor: Any, network: Callable[[], keras.Model], label: str | None
    ) -> None:
        self._predictor = predictor
        self._network = network
        self._label = label
        self.bundle: Bundle = predictor.bundle
        self.head = type(self).head_of(self.bundle)

    @cached_property
    def _explainer(self) -> Explainer:
        network = self._network()  # selects the backend before Keras is imported

        from nlp_rnn.explanation.attribution import Explainer

        independent = isinstance(self._predictor, LabelSetPredictor)
        head, meaning = self.head, self._meaning()
        return Explainer(network, meaning, head.temperature, independent, head.number)

    def _meaning(self) -> Any:
        return np.arange(len(self.head.labels))

    def of_text(self, text: str) -> Iterator[Explanation]:
        """The explanations for a text."""
        raise NotImplementedError

    def faithfulness(self, found: Sequence[Explanation]) -> list[dict[str, Any]]:
        """For each method, whether the tokens that it names matter more than others."""
        return []

    def _of(
        self,
        text: str,
        spans: Sequence[Span],
        encoded: Encoded,
        label: str,
        place: int | None = None,
        predicate: int | None = None,
    ) -> Explanation:
        index = self.head.labels.index(label)
        attribution = self._explainer.attribution(encoded, index, place or 0)
        probability = float(np.exp(attribution.log_probability))
        return Explanation(text, label, probability, spans, attribution, place, predicate)


class ExplainingClassifier(Explaining):
    """Explains the label of a text."""

    head_of = staticmethod(head_of_texts)

    def of_text(self, text: str) -> Iterator[Explanation]:
        spans, encoded = self._predictor.read(text)
        if spans:
            for label in [self._label] if self._label else self._predicted(text):
                yield self._of(text, spans, encoded, label)

    def _predicted(self, text: str) -> list[str]:
        """The label of a text; of any number of labels those that are given, or the likeliest."""
        prediction = next(self._predictor.predict([text]))
        if "label" in prediction:
            return [prediction["label"]]
        probabilities = prediction["probabilities"]
        return prediction["labels"] or [max(probabilities, key=probabilities.__getitem__)]

    def faithfulness(self, found: Sequence[Explanation]) -> list[dict[str, Any]]:
        """How much ``P(label)`` falls when the fifth of the tokens that a method names is deleted
        (*comprehensiveness*, DeYoung et al. 2020), beside random tokens."""
        rng = np.random.default_rng(0)
        falls: dict[str, list[float]] = {name: [] for name in (*METHODS, "random")}
        for explanation in found:
            if explanation.place is not None:
                continue
            count = len(explanation.spans)
            removed = max(1, round(NAMED * count))
            if removed == count:
                continue
            sets = [
                np.argsort(-getattr(explanation.attribution, name), kind="stable")[:removed]
                for name in METHODS
            ]
            sets += [rng.permutation(count)[:removed] for _ in range(DRAWS)]
            index = self.head.labels.index(explanation.label)
            _, encoded = self._predictor.read(explanation.text)
            fall = self._explainer.fall(encoded, index, sets)
            for name, value in zip(METHODS, fall, strict=False):
                falls[name].append(float(value))
            falls["random"].append(float(fall[len(METHODS) :].mean()))
        return [
            {"method": name, "texts": len(values), "fall": float(np.mean(values))}
            for name, values in falls.items()
            if values
        ]


class ExplainingTagger(Explaining):
    """Explains the tag of each word that begins an entity, or of each word if there are none."""

    head_of = staticmethod(head_of_words)

    def _meaning(self) -> Any:
        return self.bundle.learned_tags.meaning

    def of_text(self, text: str) -> Iterator[Explanation]:
        spans, encoded = self._predictor.read(text)
        if not spans:
            return
        tags = next(self._predictor.predict([text]))["tags"]
        for place in self._places(tags)[:MOST_TAGS]:
            yield self._of(text, spans, encoded, self._label or tags[place], place)

    def _places(self, tags: Sequence[str]) -> list[int]:
        if not self.bundle.entities:
            return list(range(len(tags)))
        return [first for _, first, _ in entity_spans(tags)]


class ExplainingRoles(ExplainingTagger):
    """Explains the tag of each predicate, and of the first word of each of its arguments."""

    looked_for = "predicate"

    def of_text(self, text: str) -> Iterator[Explanation]:
        spans, readings = self._predictor.readings(text)
        explained = (
            (reading, place)
            for reading in readings
            for role, place, _ in entity_spans(reading.tags)
            if (role == PREDICATE) == (reading.predicate is None)
        )
        for reading, place in islice(explained, MOST_TAGS):
            label = self._label or reading.tags[place]
            yield self._of(text, spans, reading.encoded, label, place, reading.predicate)


def explaining(bundle: Bundle, label: str | None = None) -> list[Explaining]:
    """What explains the predictions of a bundle, or those that have the label.

    Raises:
        UserError: the bundle is not a classifier or a tagger, has no Keras weights, or lacks the
            label.
    """
    task = bundle.experiment.task
    if task not in EXPLAINING:
        others = {
            "language_modelling": "; nlp-rnn inspect --saliency explains its predictions",
            "sequence_to_sequence": "; nlp-rnn inspect shows where it looks",
        }
        raise UserError(
            f"{bundle.folder}: is neither a classifier nor a tagger{others.get(task, '')}"
        )
    predictor = Predictor.of(bundle, Options(unit="text"))
    network = cache(bundle.keras_model)
    found = [output(predictor, network, label) for output in EXPLAINING[task]]
    if label is None:
        return found
    if having := [output for output in found if label in output.head.labels]:
        return having
    near = nearest(label, [known for output in found for known in output.head.labels])
    raise UserError(f"--label {label}: {bundle.folder} has no such label; {near}")


EXPLAINING: dict[str, list[type[Explaining]]] = {
    "classification": [ExplainingClassifier],
    "tagging": [ExplainingTagger],
    "intents_and_slots": [ExplainingClassifier, ExplainingTagger],
    "semantic_roles": [ExplainingRoles],
}


def _write(
    target: Path,
    bundle: Bundle,
    found: Sequence[Explanation],
    faithfulness: Sequence[dict[str, Any]],
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    write_json_lines(target / RECORDS, (explanation.record() for explanation in found))
    panels = [panel for i, each in enumerate(found, 1) for panel in _panels(each, i)]
    save(picture(panels[: 2 * MOST_TAGS]), target / PICTURE)
    rows = [
        [row["method"].replace("_", " "), f"{row['fall']:.3f}", str(row["texts"])]
        for row in faithfulness
    ]
    columns = ["deleted tokens, a fifth of each text", "fall of the probability", "texts"]
    introduction = [
        "Orange tokens support the label, blue tokens oppose it. Hover over a token to see how "
        "much, in nats of ln P.",
        "Trust a method only as far as the tokens that it names matter: deleting them should "
        "lower the probability more than deleting random tokens.",
    ]
    document = page(
        f"Why {bundle.name} predicts this",
        introduction[: 1 + bool(rows)],
        table(columns, rows) if rows else "",
        panels,
    )
    write_page(target / PAGE, document)
    worst = max(abs(each.attribution.missing) for each in found)
    log(f"{target}: {PAGE}, {PICTURE}, {RECORDS}; completeness holds to {worst:.2g} nats")
    for row in faithfulness:
        log(f"deleting a fifth of the tokens, {row['method']}: P falls by {row['fall']:.3f}")


def _panels(explanation: Explanation, number: int) -> Iterator[Panel]:
    """A text coloured by each method."""
    notes = {
        "integrated_gradients": "The share of each token in the difference of ln P between this "
        "text and one without information; the shares sum to it.",
        "occlusion": "How much ln P falls when the token's vector is set to zero.",
    }
    of = "" if explanation.place is None else f", token {explanation.place + 1}"
    if explanation.predicate is not None:
        _, start, end = explanation.spans[explanation.predicate]
        of += f", for the predicate {explanation.text[start:end]}"
    title = f"{number}{of}: {explanation.label}, P = {explanation.probability:.3g}"
    for method, note in notes.items():
        values = getattr(explanation.attribution, method)
        shown = pieces(explanation.text, explanation.spans, values)
        if explanation.place is not None:
            shown = [_marked(piece, explanation.place) for piece in shown]
        name = method.replace("_", " ")
        yield Panel(f"{title}, {name}", note, shown, f"{method}-{number}")


def _marked(piece: Piece, place: int) -> Piece:
    """Outline the token whose tag is explained."""
    own = piece.title.startswith(f"{place + 1} ")
    return Piece(piece.text, piece.value, piece.title, piece.on, own)
