"""All baselines of a data set: fitted, tuned on the validation split, applied to the test split.

A method chooses its settings from a few values by its metric on the validation split. If that split
was drawn from the training data, because like IMDB the data set has none of its own, the chosen
model is then refitted to both; an official validation split is never trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.bag_of_words import NBSVM, OneVsRest, bag_of_words, term_counts, tf_idf
from nlp_rnn.baselines.counts import majority_class, most_frequent_tags
from nlp_rnn.baselines.hmm import HMM
from nlp_rnn.baselines.linear_crf import Features, Problem, allowed_in, train_crfs
from nlp_rnn.baselines.n_grams import n_gram_losses
from nlp_rnn.baselines.pairs import pair_outputs
from nlp_rnn.baselines.roles import LinearRoles, MajorityRoles, rows_by
from nlp_rnn.evaluation.familiar import words_and_entities
from nlp_rnn.evaluation.joint import joint_metrics, joint_rows
from nlp_rnn.evaluation.label_sets import (
    common_threshold,
    label_ranking,
    label_set_metrics,
    micro_f1,
)
from nlp_rnn.evaluation.metrics import (
    Metrics,
    classification_metrics,
    entity_surface_metrics,
    language_model_metrics,
    tagging_metrics,
)
from nlp_rnn.evaluation.outputs import output_metrics
from nlp_rnn.evaluation.predictions import (
    Row,
    label_set_rows,
    labelled_rows,
    scored_rows,
    tagged_rows,
    written_rows,
)
from nlp_rnn.evaluation.roles import role_metrics
from nlp_rnn.example import SPLITS, Kind
from nlp_rnn.process import log
from nlp_rnn.text.gold import gold_rows
from nlp_rnn.text.prepared import PreparedDataset, Split

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Settings = dict[str, float]

BAG_OF_WORDS_PENALTIES = (0.01, 0.1, 1.0)
TF_IDF_PENALTIES = (1.0, 10.0, 100.0)
NB_SVM_PENALTIES = (0.01, 0.1, 1.0)
"""Values of ``C``, the inverse of the penalty's weight."""

NB_SVM_INTERPOLATIONS = (0.25, 0.5, 0.75, 1.0)
"""``beta``."""

CRF_PENALTIES = (1.0, 0.3, 0.1)
"""``l2``."""

MOST_TAGS = 150
"""With more tags, the trigrams of an HMM would not fit into memory, so it is skipped."""


@dataclass(frozen=True)
class Fitted:
    """The result of a baseline on the test split.

    Attributes:
        name: the name of the method.
        predicted: class indices ``(examples,)``, the tag indices of each sentence, or for a
            language model ``-ln P`` of each token in nats ``(tokens,)``, or for pairs the outputs.
            Of a joint data set, classes and tags as a pair.
            Where a text has any number of labels, their scores ``(examples, labels)``, which are 0
            or more for those that are given. For roles the function that tags a split, because what
            is asked for depends on the predicates that it finds.
        chosen: the setting that was best on the validation split.
        tried: every setting, with its metric there.
        seconds: the time taken; work shared between baselines counts for the first of them.
    """

    name: str
    predicted: Any
    chosen: Settings = field(default_factory=dict)
    tried: list[Settings] = field(default_factory=list)
    seconds: float = 0.0


def fit_all(dataset: PreparedDataset) -> Iterator[Fitted]:
    """Fit the baselines of a data set one by one, the simplest first."""
    methods: dict[Kind, Callable[[PreparedDataset], Iterator[Fitted]]]
    methods = {
        "labelled": _classifiers,
        "tagged": _taggers,
        "text": _language_models,
        "pairs": _of_pairs,
        "roles": _roles,
        "joint": joint_baselines,
    }
    started = time.perf_counter()
    for fitted in methods[dataset.kind](dataset):
        seconds = time.perf_counter() - started
        log(f"{dataset.title}: {fitted.name}, {seconds:.1f} s")
        yield replace(fitted, seconds=seconds)
        started = time.perf_counter()


def judged(dataset: PreparedDataset, fitted: Fitted) -> tuple[Metrics, list[Row]]:
    """The same metrics on the test split as in a network's evaluation, and the rows of a
    predictions file."""
    test, labels = dataset.split("test"), dataset.labels
    if dataset.multi_label:
        applies, scores = np.asarray(test.labels, bool), fitted.predicted
        figures = label_set_metrics(applies, scores >= 0, scores, labels)
        ranking = label_ranking(applies, scores)
        return figures, label_set_rows(labels, applies, scores >= 0, ranking)
    if dataset.kind == "labelled":
        classes = np.asarray(test.labels)
        figures = classification_metrics(classes, fitted.predicted, labels)
        return figures, labelled_rows(labels, classes, fitted.predicted)
    if dataset.kind == "text":
        losses = np.add.reduceat(fitted.predicted, test.offsets[:-1])
        characters = dataset.card["splits"]["test"]["characters"]
        figures = language_model_metrics(float(losses.sum()), len(test.ids), characters)
        return figures, scored_rows(test, losses)
    if dataset.kind == "pairs":
        rows = written_rows(gold_rows(dataset, "test"), fitted.predicted)
        return output_metrics(rows), rows
    if dataset.kind == "roles":
        rows = rows_by(fitted.predicted, labels, test)
        return role_metrics(rows), rows
    if dataset.kind == "joint":
        (of_texts, labels_of), (of_words, tags_of) = (
            judged(side, replace(fitted, predicted=predicted))
            for side, predicted in zip(
                (dataset.labelled, dataset.tagged), fitted.predicted, strict=True
            )
        )
        rows = joint_rows(labels_of, tags_of)
        return joint_metrics(of_texts, of_words, rows), rows
    normalised = dataset.tokenizer.words
    counts, entities = words_and_entities(dataset)
    words = [sentence for sentence in _words(test) if sentence]
    seen = [np.array([word in counts for word in normalised(sentence)]) for sentence in words]
    pairs = _sentences(test, test.labels), fitted.predicted
    gold, best = ([tags for tags in side if len(tags)] for side in pairs)
    figures = tagging_metrics(gold, best, labels, seen, entities=dataset.entities)
    if dataset.entities:
        figures |= entity_surface_metrics(gold, best, labels, words, entities)
    return figures, tagged_rows(labels, *pairs, entities=dataset.entities)


def _language_models(dataset: PreparedDataset) -> Iterator[Fitted]:
    for name, losses in n_gram_losses(dataset):
        yield Fitted(name, losses)


def _roles(dataset: PreparedDataset) -> Iterator[Fitted]:
    yield Fitted("majority", MajorityRoles.fit(dataset).tag)
    yield Fitted("linear_crf", LinearRoles.fit(dataset).tag)


def joint_baselines(dataset: PreparedDataset) -> Iterator[Fitted]:
    """A classifier for the labels and a tagger for the tags, the simplest first: the majority.

    Where taggers are fewer, because there are too many tags for one, the last stands twice.
    """
    taggers = _taggers(dataset.tagged)
    of_tags = next(taggers)
    for number, of_labels in enumerate(_classifiers(dataset.labelled)):
        of_tags = next(taggers, of_tags) if number else of_tags
        names = dict.fromkeys((of_labels.name, of_tags.name))
        chosen = {
            f"{side}_{name}": value
            for side, fitted in (("label", of_labels), ("tag", of_tags))
            for name, value in fitted.chosen.items()
        }
        both = of_labels.predicted, of_tags.predicted
        yield Fitted("-".join(names), both, chosen, of_labels.tried + of_tags.tried)


def _of_pairs(dataset: PreparedDataset) -> Iterator[Fitted]:
    for name, outputs in pair_outputs(dataset):
        yield Fitted(name, outputs)


# --- classification ---------------------------------------------------------------------

Grid = Mapping[str, Sequence[float]]
"""The values of each setting from which to choose."""

Fits = Callable[["csr_matrix", Ints, Grid, Floats | None], Iterator[tuple[Settings, Any]]]
"""Maps counts ``(texts, terms)``, labels ``(texts,)``, a grid and the weights of the texts to a
fitted model per setting."""


def _logistic(make: Callable[[float], Any]) -> Fits:
    def fits(
        counts: csr_matrix, labels: Ints, grid: Grid, weights: Floats | None
    ) -> Iterator[tuple[Settings, Any]]:
        for C in grid["C"]:
            yield {"C": C}, make(C).fit(counts, labels, logisticregression__sample_weight=weights)

    return fits


def _nb_svms(
    counts: csr_matrix, labels: Ints, grid: Grid, weights: Floats | None
) -> Iterator[tuple[Settings, Any]]:
    for C in grid["C"]:
        fitted = NBSVM.fit(counts, labels, C, weights=weights)
        for beta in grid["beta"]:
            yield {"C": C, "beta": beta}, replace(fitted, beta=beta)


def _one_vs_rest(fits: Fits) -> Fits:
    """Fit a model for each label, all with the same setting."""

    def of_labels(
        counts: csr_matrix, labels: Ints, grid: Grid, weights: Floats | None
    ) -> Iterator[tuple[Settings, Any]]:
        varying = np.flatnonzero(labels.min(axis=0) == 0).tolist()
        each = (
            fits(counts, labels[:, i], grid, None if weights is None else weights[:, i])
            for i in varying
        )
        for models in zip(*each, strict=True):
            settings = models[0][0]
            by_label = dict(zip(varying, (model for _, model in models), strict=True))
            yield settings, OneVsRest(by_label, labels.shape[1])

    return of_labels


def _classifiers(dataset: PreparedDataset) -> Iterator[Fitted]:
    if dataset.multi_label:
        yield most_frequent_labels(dataset)
    else:
        train, test = dataset.split("train"), dataset.split("test")
        yield Fitted("majority", np.full(len(test), majority_class(train)))
    yield from _linear_classifiers(dataset)


def weighted_classifiers(dataset: PreparedDataset, class_weights: Floats) -> Iterator[Fitted]:
    """The linear baselines of a classifier with class weights, named ``..._weighted``.

    Args:
        class_weights: from :func:`nlp_rnn.tasks.class_weights.class_weights`.
    """
    for fitted in _linear_classifiers(dataset, class_weights):
        yield replace(fitted, name=f"{fitted.name}_weighted")


def most_frequent_labels(dataset: PreparedDataset) -> Fitted:
    """The same labels for every text: those whose share of the training texts reaches the threshold
    with the highest micro-F1 on the validation split."""
    train, validation, test = (np.asarray(dataset.split(name).labels, bool) for name in SPLITS)
    shares = train.mean(axis=0)
    threshold = common_threshold(np.tile(shares, (len(validation), 1)), validation)
    return Fitted("most_frequent_labels", np.tile(shares - threshold, (len(test), 1)))


def _linear_classifiers(
    dataset: PreparedDataset, class_weights: Floats | None = None
) -> Iterator[Fitted]:
    from scipy.sparse import hstack

    splits = [dataset.split(name) for name in SPLITS]
    tokens = dataset.tokenizer.tokens
    texts = [tokens(record["text"]) for split in splits for record in split.records()]
    words = term_counts(texts, 1)
    both = hstack([words, term_counts(texts, 2)], format="csr")
    drawn = "validation" in dataset.card.get("taken_from_train", {})
    for name, counts, fits, grid in (
        ("bag_of_words", words, _logistic(bag_of_words), {"C": BAG_OF_WORDS_PENALTIES}),
        ("tf_idf", both, _logistic(tf_idf), {"C": TF_IDF_PENALTIES}),
        ("nb_svm", both, _nb_svms, {"C": NB_SVM_PENALTIES, "beta": NB_SVM_INTERPOLATIONS}),
    ):
        fits = _one_vs_rest(fits) if dataset.multi_label else fits
        yield _chosen(name, counts, splits, fits, grid, drawn, class_weights)


def _chosen(
    name: str,
    counts: csr_matrix,
    splits: Sequence[Split],
    fits: Fits,
    grid: Grid,
    refit: bool,
    class_weights: Floats | None = None,
) -> Fitted:
    """The best model on the validation split, applied to the test split.

    The best one has the highest accuracy, with class weights the highest macro-F1, and for any
    number of labels the highest micro-F1 that some threshold gives.

    Args:
        counts: the counts of the training, validation and test texts, one after the other.
        refit: whether to refit the chosen model to training and validation together.
        class_weights: how much the examples of each class count.
    """
    labels = np.concatenate([np.asarray(split.labels) for split in splits])
    weights = _weights_of_texts(labels, class_weights)
    trained, judged, _ = np.cumsum([len(split) for split in splits]).tolist()

    def fitted_to(first: int, values: Grid) -> tuple[Ints, list[tuple[Settings, Any]]]:
        """The terms of the first texts, and models fitted to these, which know no others."""
        known = np.flatnonzero(counts[:first].getnnz(axis=0))
        of_texts = None if weights is None else weights[:first]
        return known, list(fits(counts[:first, known], labels[:first], values, of_texts))

    known, found = fitted_to(trained, grid)
    texts, gold = counts[trained:judged, known], labels[trained:judged]
    metric = "f1" if gold.ndim == 2 or weights is not None else "accuracy"
    reached = [_reached(model, texts, gold, metric) for _, model in found]
    figures, thresholds = zip(*reached, strict=True)
    best = int(np.argmax(figures))
    settings, model = found[best]
    tried = [of | {metric: figure} for (of, _), figure in zip(found, figures, strict=True)]
    if refit:
        single = {option: (value,) for option, value in settings.items()}
        known, [(_, model)] = fitted_to(judged, single)
    texts = counts[judged:, known]
    if gold.ndim == 2:
        return Fitted(name, model.decision_function(texts) - thresholds[best], settings, tried)
    return Fitted(name, model.predict(texts), settings, tried)


def _weights_of_texts(labels: Ints, class_weights: Floats | None) -> Floats | None:
    """How much each text counts ``(texts,)``, or for each label ``(texts, labels)``."""
    if class_weights is None:
        return None
    if labels.ndim == 1:
        return class_weights[labels]
    return np.where(labels, class_weights[1], class_weights[0])


def _reached(model: Any, texts: csr_matrix, gold: Ints, metric: str) -> tuple[float, float]:
    """The metric of a model, and the threshold of its scores with which it reaches that."""
    if gold.ndim == 1:
        best = model.predict(texts)
        names = list(map(str, range(max(gold.max(), best.max()) + 1)))
        return float(classification_metrics(gold, best, names)[metric]), 0.0
    scores, applies = model.decision_function(texts), gold.astype(bool)
    threshold = common_threshold(scores, applies, near=0.0)
    return micro_f1(applies, scores >= threshold), threshold


# --- tagging ----------------------------------------------------------------------------


def _taggers(dataset: PreparedDataset) -> Iterator[Fitted]:
    train, validation, test = (dataset.split(name) for name in SPLITS)
    tags = dataset.labels
    majority = np.full(len(test.ids), majority_class(train))
    yield Fitted("majority", _sentences(test, majority))
    of_types = most_frequent_tags(train, len(dataset.vocabulary), len(tags))
    yield Fitted("most_frequent_tag", _sentences(test, of_types[test.ids]))
    if len(tags) <= MOST_TAGS:
        hmm = HMM(_words(train), _sentences(train, train.labels), len(tags))
        yield Fitted("hmm", [hmm.tag(sentence) for sentence in _words(test)])
    features = Features(dataset.forms, train)
    problem = Problem(features.matrix(train), train, allowed_in(train, tags, dataset.entities))
    figure = "f1" if dataset.entities else "accuracy"
    gold = _sentences(validation, validation.labels)
    found = list(train_crfs(features, problem, CRF_PENALTIES))
    judged = (
        tagging_metrics(gold, crf.tag(validation), tags, entities=dataset.entities) for crf in found
    )
    figures = [float(metrics[figure]) for metrics in judged]
    best = int(np.argmax(figures))
    tried = [{"l2": l2, figure: f} for l2, f in zip(CRF_PENALTIES, figures, strict=True)]
    yield Fitted("linear_crf", found[best].tag(test), {"l2": CRF_PENALTIES[best]}, tried)


def _words(split: Split) -> Iterator[list[str]]:
    return (record["tokens"] for record in split.records())


def _sentences(split: Split, of_words: Any) -> list[Ints]:
    """An array over the words of a split, divided into its sentences."""
    return np.split(np.asarray(of_words), split.offsets[1:-1])
