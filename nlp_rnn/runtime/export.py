"""Exported bundles: an ONNX graph, the files it needs, and instructions for use without Python."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from nlp_rnn.config import TaggerHeadParameters, TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.files import read_json, whole_folder
from nlp_rnn.markdown import code, markdown_table, plain
from nlp_rnn.runtime.bundle import (
    COPIED,
    DATA_CARD,
    DECODER,
    DESCRIPTION,
    GRAPH,
    REMEDY,
    START_STATES,
    Bundle,
    describe,
)
from nlp_rnn.runtime.forward import constraints
from nlp_rnn.runtime.onnx_network import OnnxNetwork
from nlp_rnn.text.characters import (
    DROPPED,
    PATTERNS,
    PORTABLE,
    WORD_BREAK,
    apostrophe_pattern,
    portable,
)
from nlp_rnn.text.first_rules import word_pattern as first_word_pattern
from nlp_rnn.text.vocabulary import SEPARATOR

README = "README.md"


def check_new(target: Path, source: Path) -> None:
    """Raise UserError where the folder ``target`` exists, or lies in the bundle ``source``."""
    if target.exists():
        raise UserError(f"{target}: already exists; remove it, or choose another folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{target}: lies in the model itself; choose a folder outside it")


def export_onnx(source: Path, target: Path, int8: bool = False) -> None:
    """Write the bundle ``source`` without Keras weights into the new folder ``target``.

    ``target`` is itself a bundle, and holds a description for users of other languages. It is
    written completely or not at all.

    Args:
        int8: whether to round the weights to 8 bits.

    Raises:
        UserError: the bundle has no graph for predictions or holds links, or ``target`` exists.
    """
    check_new(target, source)
    bundle = Bundle.open(source)
    bundle.check_copyable()
    check_has_graph(bundle)
    if int8 and bundle.graph.int8:
        raise UserError(f"{source}: already has 8-bit weights; export it without --int8")
    if int8:
        require("onnx", "train", "--int8")
    with whole_folder(target) as folder:
        for file in (*COPIED, START_STATES, DATA_CARD, GRAPH, DECODER):
            if file in bundle.files:
                shutil.copyfile(source / file, folder / file)
        bundle.network()  # raises UserError unless it is a graph that fits the bundle
        for graph in (GRAPH, DECODER):
            if int8 and (folder / graph).exists():
                _round(folder / graph)
        (folder / README).write_text(readme(bundle, folder / GRAPH, int8), encoding="utf-8")
        original = read_json(source / DESCRIPTION, REMEDY)
        describe(folder, **original | {"graph": original["graph"] | {"int8": int8}})


def check_has_graph(bundle: Bundle) -> None:
    """Raise UserError unless ONNX Runtime can run the bundle's network."""
    if bundle.graph.unsupported is not None:
        raise UserError(
            f"{bundle.folder}: cannot be exported: only Keras can run it "
            f"({bundle.graph.unsupported})"
        )


def _round(file: Path) -> None:
    import onnx

    from nlp_rnn.runtime.onnx_int8 import quantized

    onnx.save(quantized(onnx.load(file, load_external_data=False)), file)


# --- the description ----------------------------------------------------------------

UNITS = {
    "word": "a word is letters, numbers, underscores and combining marks, with apostrophes inside, "
    "and every other visible character is a token of its own",
    "whitespace": "tokens are separated by white space",
    "character": "a token is a character with its marks, including white space",
    "subword": "tokens are the subwords of `subwords.json`, a file of the library `tokenizers`",
}


def readme(bundle: Bundle, graph: Path, int8: bool) -> str:
    """Instructions for running the graph without this package."""
    subword = bundle.tokenizer.parameters.unit == "subword"
    head = HEAD.format(
        name=plain(bundle.name),
        purpose="any number of labels of a text" if bundle.multi_label else bundle.task.gives,
        extras="predict,subword" if subword else "predict",
        libraries="numpy onnxruntime tokenizers" if subword else "numpy onnxruntime",
    )
    steps = [*_token_steps(bundle), *_batch_steps(bundle)]
    decoder = graph.parent / DECODER
    graphs = [graph, decoder] if decoder.exists() else [graph]
    sections = [
        head + (OF_INT8 if int8 else ""),
        *(f"## `{each.name}`\n\n{_interface(each)}" for each in graphs),
        "## From text to numbers\n\n" + "\n".join(f"{i}. {s}" for i, s in enumerate(steps, 1)),
        f"## From numbers to predictions\n\n{_answers(bundle)}",
    ]
    return "\n\n".join(sections) + "\n"


def _interface(graph: Path) -> str:
    """A table of the inputs and outputs, read from the file itself."""
    network = OnnxNetwork(graph)
    rows = [
        (role, code(value.name), value.type, plain(" × ".join(map(str, value.shape))))
        for role, values in (("input", network.inputs), ("output", network.outputs))
        for value in values
    ]
    table = markdown_table(("", "name", "type", "shape"), rows)
    return f"{table}\n\nEvery named axis may have any size from 1 up."


def _token_steps(bundle: Bundle) -> Iterator[str]:
    """The steps from a text to the ids of its tokens."""
    parameters = bundle.tokenizer.parameters
    split = f"Split the text: {UNITS[parameters.unit]}."
    if parameters.html_breaks:
        yield "Replace `<br />` by a space, and `&amp;` and other entities by their characters."
    if parameters.rules == 1:
        yield split + (_matches(first_word_pattern(PORTABLE)) if parameters.unit == "word" else "")
        yield from _folding(parameters)
    elif parameters.unit == "subword":
        yield from (_unspaced(), *_cleaning(parameters), "Replace all white space by spaces.")
        yield from _folding(parameters)
        yield split
    else:
        yield _unspaced()
        yield split + _matches(PATTERNS[parameters.unit](PORTABLE))
        yield from (*_cleaning(parameters), "Drop a token if nothing is left of it.")
        yield from _folding(parameters)
    yield (
        "The id of a token is its index in `types` of `vocabulary.json`, counted from 0; that of a "
        "token not listed there is 1 (`<unk>`)."
    )


def _matches(pattern: str) -> str:
    return f" The tokens are the matches, from left to right, of{_code(pattern)}"


def _code(pattern: str) -> str:
    """A regular expression for a numbered list, in the syntax that most libraries read."""
    return f"\n\n   ```\n   {portable(pattern)}\n   ```\n"


def _unspaced() -> str:
    return f"Replace separators that are not white space by a space: matches of{_code(WORD_BREAK)}"


def _cleaning(parameters: TokenizerParameters) -> Iterator[str]:
    """Steps that clean tokens, or a whole text before it is split into subwords."""
    yield f"Remove invisible characters: replace by `$1$2` the matches of{_code(DROPPED)}"
    if parameters.unit != "character":
        apostrophe = apostrophe_pattern(PORTABLE)
        yield f"Replace every apostrophe by `'`: apostrophes are the matches of{_code(apostrophe)}"


def _folding(parameters: TokenizerParameters) -> Iterator[str]:
    """Steps that normalise tokens, or a whole text before it is split into subwords."""
    if parameters.unicode != "none":
        yield f"Normalise it to Unicode {parameters.unicode}."
    if parameters.lowercase:
        yield "Convert it to lower case."
    if parameters.digits == "zero":
        yield "Replace each of its decimal digits by 0."


def _batch_steps(bundle: Bundle) -> Iterator[str]:
    """The steps from the ids of texts to the inputs."""
    experiment = bundle.experiment
    if experiment.task == "language_modelling":
        end = bundle.vocabulary.end_index
        states = "states of zeros"
        if bundle.start_states() is not None:
            states = (
                f"the states in `{START_STATES}`, one list each in the order of the inputs above,"
            )
        yield (
            f"A text begins with {states} and the id {end}, which also ends it. The states "
            "that are returned go into the next piece of the text. Rows may be padded on the right "
            "with 0; outputs before the padding do not change, but the returned states are useless."
        )
        return
    if SEPARATOR in bundle.vocabulary.types:
        yield f"Put the id of `{SEPARATOR}` between the ids of several texts."
    if experiment.task == "sequence_to_sequence" and experiment.model.reversed_source:
        yield "Reverse the order of the ids of a source."
    longest = experiment.training.max_length
    if experiment.task == "classification" and longest:
        kept = {
            "head": f"the first {longest} tokens",
            "tail": f"the last {longest} tokens",
            "both": f"the first {longest - longest // 2} and the last {longest // 2} tokens",
        }
        yield f"Of a longer text, keep {kept[experiment.training.long_texts]}."
    yield (
        "Pad the rows of a batch on the right with 0. `lengths` is the number of tokens in each, "
        "1 or more; a text without tokens is the single id 1."
    )
    if bundle.task.data == "roles":
        yield (
            "`predicates` is all 0 to find the predicates of a sentence: the words tagged `B-V`. "
            "Then the sentence is read once more for each, with 1 at this word, to tag its "
            "arguments. Padding is 0."
        )
    model = experiment.model
    if isinstance(model, TaggerHeadParameters) and model.longest:
        most, rules = model.longest, bundle.tokenizer.parameters.rules
        yield (
            "`characters` holds for each word, as written"
            + (" except for invisible characters and apostrophes (as above)" if rules > 1 else "")
            + ", 2, the indices of its characters in "
            "`types` of `characters.json` (1 for those not listed), 2, and 0 up to a width "
            f"of {most + 2}. Of a word of more than {most} characters take the first "
            f"{most - most // 2} and the last {most // 2}. Padding is 2, 2, and 0."
        )


def _answers(bundle: Bundle) -> str:
    """The steps from the outputs to the predictions."""
    experiment = bundle.experiment
    if experiment.task == "language_modelling":
        return PROBABILITIES
    if experiment.task == "sequence_to_sequence":
        return _written(bundle)
    if bundle.multi_label:
        return _label_sets(bundle)
    answers, model = SOFTMAX, experiment.model
    tagger = model if isinstance(model, TaggerHeadParameters) else None
    if tagger and tagger.output == "crf":
        answers = CRF
    elif tagger and constraints(tagger, bundle.labels):
        answers += ALLOWED
    if bundle.temperature != 1:
        answers += CALIBRATED.format(temperature=bundle.temperature)
    if tagger and tagger.tag_scheme:
        tags = ", ".join(map(code, bundle.learned_tags.tags))
        answers += LEARNED.format(tags=tags)
    return answers + (_of_texts(bundle) if bundle.task.data == "joint" else "")


def _of_texts(bundle: Bundle) -> str:
    """How the label logits become the label of a text."""
    temperature = bundle.intent_temperature
    return OF_TEXTS.format(
        scaled="" if temperature == 1 else f", first divided by {temperature:.6g},"
    )


def _label_sets(bundle: Bundle) -> str:
    """How logits become any number of labels."""
    thresholds = (f"{code(label)} {value:.6g}" for label, value in bundle.thresholds.items())
    scaled = "" if bundle.temperature == 1 else f", first divided by {bundle.temperature:.6g},"
    return SIGMOID.format(scaled=scaled, thresholds=", ".join(thresholds))


def _written(bundle: Bundle) -> str:
    """How the decoder's outputs become the text of a target."""
    unit = bundle.target_tokenizer.parameters.unit
    return WRITTEN.format(end=bundle.target_vocabulary.end_index, joined=JOINED[unit])


JOINED = {
    "word": "joined by spaces",
    "whitespace": "joined by spaces",
    "character": "joined",
    "subword": "joined, `\u2581` read as a space",
}
"""How the tokens of targets become text, by the unit of their tokenizer."""

HEAD = """\
# {name}

A neural network that predicts {purpose}. If you have the package `nlp_rnn`, which is not on a
package index, install it with the libraries for prediction from its folder or wheel, and predict
with one command:

```
pip install 'PATH_TO_FOLDER_OR_WHEEL[{extras}]'
nlp-rnn predict THIS_FOLDER texts.txt -
```

Without the package, in Python or any other language, all you need is an ONNX runtime and the
instructions below; in Python, `pip install {libraries}`."""

OF_INT8 = """

Its weights were rounded to 8 bits. The file is smaller and faster, but its predictions differ
slightly from those of the trained network and depend slightly on the other rows of a batch."""

PROBABILITIES = """\
`log_probabilities[b, t, v]` is `ln P` of the token `v` after the ids of row `b` up to `t`. The
log-probability of a text is the sum over its tokens and the end id; its perplexity is `exp` of the
negative mean."""

WRITTEN = """\
`model.onnx` reads sources once; its outputs `first_...` are the decoder's first states. Then call
`decoder.onnx` step by step: first with the id {end} as the only column of `target_ids`, then with
the id that was chosen, each time with the states `next_...` of the step before, and with the same
`memory` and `lengths` if it has these inputs. `log_probabilities[b, t, v]` is `ln P` of the type
`v` of `target_vocabulary.json`. The id with the highest value is the greedy choice; a beam search
keeps several. The id {end} ends a target, and ids 0 and 1 are never chosen. The tokens of the
chosen ids are {joined}."""

SOFTMAX = """\
The softmax over the last axis of `logits` gives the probability of each entry of `labels.json`, in
that order. Outputs at padding are meaningless."""

ALLOWED = """

The tags are the sequence with the highest product of probabilities in which each `I-` follows a
`B-` or `I-` of the same role."""

SIGMOID = """\
The sigmoid `1 / (1 + exp(-z))` of each of the `logits` `z`{scaled} gives the probability of each
entry of `labels.json`, in that order. A text has the labels whose probability is at least their
threshold: {thresholds}."""

CRF = """\
The logits `e` are the emissions of a conditional random field over the tags of `labels.json`, in
the order of the last axis. With `start = crf_start`, `A = crf_transitions` (from the row's tag to
the column's) and `end = crf_end`, which are the same in every run, the tags `y` of a sentence of
`T = lengths[b]` words are those with the highest score

    s(y) = start[y_1] + e_1[y_1] + sum over t = 2..T of (A[y_(t-1), y_t] + e_t[y_t]) + end[y_T]

The Viterbi algorithm finds them:

    v_1[j] = start[j] + e_1[j]
    v_t[j] = e_t[j] + max over i of (v_(t-1)[i] + A[i, j]),    b_t[j] = the i of that maximum
    y_T = the j of the highest v_T[j] + end[j],                y_(t-1) = b_t[y_t]

A score of -10000 means that a tag may not begin a sentence, follow the other tag or end a
sentence."""

CALIBRATED = """

For calibrated probabilities, first divide all these scores by the temperature {temperature:.6g}.
The predictions stay the same."""

OF_TEXTS = """

The softmax of `label_logits`{scaled} gives the probability of each entry of `intents.json`, the
labels of the text."""

LEARNED = """

Here the tags of the network are not those of `labels.json` but, in this order, {tags}. In the
predictions, replace `S-` by `B-` and `E-` by `I-`; the probability of the resulting tag is the sum
of both."""
