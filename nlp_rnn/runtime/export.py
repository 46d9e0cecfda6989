"""Bundles to take elsewhere: an ONNX graph, what it needs, and how to use it without Python."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require
from nlp_rnn.files import whole_folder
from nlp_rnn.markdown import markdown_table
from nlp_rnn.runtime.bundle import (
    COPIED,
    DATA_CARD,
    DESCRIPTION,
    GRAPH,
    START_STATES,
    Bundle,
    describe,
)
from nlp_rnn.text.characters import (
    DROPPED,
    PATTERNS,
    PORTABLE,
    WORD_BREAK,
    apostrophe_pattern,
    portable,
)
from nlp_rnn.text.first_rules import word_pattern as first_word_pattern

README = "README.md"


def export_onnx(source: Path, target: Path, int8: bool = False) -> None:
    """Write the bundle ``source`` without Keras weights into the new folder ``target``.

    ``target`` is a bundle itself, and holds a description for users of other languages. It is
    there whole or not at all.

    Args:
        int8: round the weights to 8 bits.

    Raises:
        UserError: the bundle has no graph that predicts, or ``target`` exists.
    """
    if target.exists():
        raise UserError(f"{target}: exists already; remove it, or choose another folder")
    bundle = Bundle.open(source)
    if bundle.graph.unsupported is not None:
        raise UserError(
            f"{source}: cannot be exported, only Keras predicts ({bundle.graph.unsupported})"
        )
    if int8 and bundle.graph.int8:
        raise UserError(f"{source}: has weights of 8 bits already; export it without --int8")
    if int8:
        require("onnx", "train", "--int8")
    with whole_folder(target) as folder:
        for file in (*COPIED, START_STATES, DATA_CARD, GRAPH):
            if (source / file).exists():
                shutil.copyfile(source / file, folder / file)
        if int8:
            _round(folder / GRAPH)
        (folder / README).write_text(readme(bundle, folder / GRAPH, int8), encoding="utf-8")
        original = json.loads((source / DESCRIPTION).read_text(encoding="utf-8"))
        describe(folder, **original | {"graph": original["graph"] | {"int8": int8}})


def _round(file: Path) -> None:
    import onnx

    from nlp_rnn.runtime.onnx_int8 import quantized

    onnx.save(quantized(onnx.load(file)), file)


# --- the description ----------------------------------------------------------------

UNITS = {
    "word": "a word is letters, numbers, underscores and combining marks, with apostrophes inside, "
    "and every other visible character is a token by itself",
    "whitespace": "a token is whatever white space separates",
    "character": "a token is a character with its marks, white space included",
    "subword": "tokens are the byte pairs of `subwords.json`, a file of the library `tokenizers`",
}


def readme(bundle: Bundle, graph: Path, int8: bool) -> str:
    """What somebody needs to know who runs the graph without this package."""
    subword = bundle.tokenizer.parameters.unit == "subword"
    head = HEAD.format(
        name=bundle.name,
        purpose=bundle.task.gives,
        extras="predict,subword" if subword else "predict",
        libraries="numpy onnxruntime tokenizers" if subword else "numpy onnxruntime",
    )
    steps = [*_token_steps(bundle), *_batch_steps(bundle)]
    sections = [
        head + (OF_INT8 if int8 else ""),
        f"## `{graph.name}`\n\n{_interface(graph)}",
        "## From text to numbers\n\n" + "\n".join(f"{i}. {s}" for i, s in enumerate(steps, 1)),
        f"## From numbers to answers\n\n{_answers(bundle)}",
    ]
    return "\n\n".join(sections) + "\n"


def _interface(graph: Path) -> str:
    """A table of the inputs and outputs, as the file itself has them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rows = [
        (role, f"`{value.name}`", value.type, " × ".join(map(str, value.shape)))
        for role, values in (("input", session.get_inputs()), ("output", session.get_outputs()))
        for value in values
    ]
    table = markdown_table(("", "name", "type", "shape"), rows)
    return f"{table}\n\nEvery axis that has a name may have any size from 1 on."


def _token_steps(bundle: Bundle) -> Iterator[str]:
    """From a text to the ids of its tokens."""
    parameters = bundle.tokenizer.parameters
    split = f"Split the text: {UNITS[parameters.unit]}."
    if parameters.html_breaks:
        yield "Replace `<br />` by a space, and `&amp;` and its like by the character they name."
    if parameters.rules == 1:
        yield split + (_matches(first_word_pattern(PORTABLE)) if parameters.unit == "word" else "")
        yield from _folding(parameters)
    elif parameters.unit == "subword":
        yield from (_unspaced(), *_cleaning(parameters), "Write all white space as spaces.")
        yield from _folding(parameters)
        yield split
    else:
        yield _unspaced()
        yield split + _matches(PATTERNS[parameters.unit](PORTABLE))
        yield from (*_cleaning(parameters), "Leave out a token of which nothing is left.")
        yield from _folding(parameters)
    yield (
        "The id of a token is its place in `types` of `vocabulary.json`, counted from 0; that of a "
        "token that is not there is 1 (`<unk>`)."
    )


def _matches(pattern: str) -> str:
    return f" Tokens are the matches, from left to right, of{_code(pattern)}"


def _code(pattern: str) -> str:
    """A regular expression in a numbered list, as most libraries read it."""
    return f"\n\n   ```\n   {portable(pattern)}\n   ```\n"


def _unspaced() -> str:
    return f"Replace a separator that is no white space by a space: matches of{_code(WORD_BREAK)}"


def _cleaning(parameters: TokenizerParameters) -> Iterator[str]:
    """What is left out of tokens, or of a whole text before its subwords."""
    yield f"Leave out invisible characters: replace by `$1$2` the matches of{_code(DROPPED)}"
    if parameters.unit != "character":
        apostrophe = apostrophe_pattern(PORTABLE)
        yield f"Write every apostrophe as `'`: replace by it the matches of{_code(apostrophe)}"


def _folding(parameters: TokenizerParameters) -> Iterator[str]:
    """The Unicode form, case and digits of a token, or of a whole text before its subwords."""
    if parameters.unicode != "none":
        yield f"Bring it to Unicode {parameters.unicode}."
    if parameters.lowercase:
        yield "Write it in lower case."
    if parameters.digits == "zero":
        yield "Write each of its decimal digits as 0."


def _batch_steps(bundle: Bundle) -> Iterator[str]:
    """From the ids of texts to the inputs."""
    experiment = bundle.experiment
    if experiment.task == "language_modelling":
        end = bundle.vocabulary.end_index
        states = "states of zeros"
        if bundle.start_states() is not None:
            states = (
                f"the states in `{START_STATES}`, a list for each in the order of the inputs above,"
            )
        yield (
            f"A text begins with {states} and the id {end}, which also ends it. The states "
            "that come out go into the next piece of the text. Rows may be padded on the right "
            "with 0: what stands before is as without, but the states that come out are of no use."
        )
        return
    longest = experiment.training.max_length
    if experiment.task == "classification" and longest:
        kept = {
            "head": f"the first {longest} tokens",
            "tail": f"the last {longest} tokens",
            "both": f"the first {longest - longest // 2} and the last {longest // 2} tokens",
        }
        yield f"Of a longer text keep {kept[experiment.training.long_texts]}."
    yield (
        "Pad the rows of a batch on the right with 0. `lengths` says how many tokens each has, "
        "1 or more; a text without any is the one id 1."
    )
    if experiment.task == "tagging" and experiment.model.longest:
        most, rules = experiment.model.longest, bundle.tokenizer.parameters.rules
        yield (
            "`characters` has for each word, as it is written"
            + (" but for what is invisible and for apostrophes (as above)" if rules > 1 else "")
            + ", 2, the places of its characters in "
            "`types` of `characters.json` (1 for those that are not there), 2, and 0 up to a width "
            f"of {most + 2}. Of a word of more than {most} characters take the first "
            f"{most - most // 2} and the last {most // 2}. Padding is 2, 2, and 0."
        )


def _answers(bundle: Bundle) -> str:
    """From the outputs to what is predicted."""
    experiment = bundle.experiment
    if experiment.task == "language_modelling":
        return PROBABILITIES
    answers = SOFTMAX
    if experiment.task == "tagging" and experiment.model.output == "crf":
        answers = CRF
    if bundle.temperature != 1:
        answers += CALIBRATED.format(temperature=bundle.temperature)
    if experiment.task == "tagging" and experiment.model.tag_scheme:
        tags = ", ".join(f"`{tag}`" for tag in bundle.learned_tags.tags)
        answers += LEARNED.format(tags=tags)
    return answers


HEAD = """\
# {name}

A neural network that gives {purpose}. Whoever has the package `nlp_rnn`, which is on no package
index, installs it with what predictions need from its folder or wheel, and has predictions by one
command:

```
pip install 'PATH_TO_FOLDER_OR_WHEEL[{extras}]'
nlp-rnn predict THIS_FOLDER texts.txt -
```

Without it, in Python or any other language, all it takes is a runtime for ONNX and what follows; in
Python `pip install {libraries}`."""

OF_INT8 = """

Its weights were rounded to 8 bits: the file is smaller and faster, what it predicts differs a
little from the trained network, and depends a little on the other rows of a batch."""

PROBABILITIES = """\
`log_probabilities[b, t, v]` is `ln P` of the token `v` after the ids of row `b` up to `t`. The
log-probability of a text is the sum over its tokens and its end; its perplexity is `exp` of the
negative mean."""

SOFTMAX = """\
The softmax over the last axis of `logits` gives the probability of each entry of `labels.json`, in
that order. What stands at padding means nothing."""

CRF = """\
The logits `e` are the emissions of a conditional random field over the tags of `labels.json`, in
the order of the last axis. With `start = crf_start`, `A = crf_transitions` (from the row's tag to
the column's) and `end = crf_end`, which are the same in every run, a sentence of `T = lengths[b]`
words has the tags `y` of the highest score

    s(y) = start[y_1] + e_1[y_1] + sum over t = 2..T of (A[y_(t-1), y_t] + e_t[y_t]) + end[y_T]

The Viterbi algorithm finds them:

    v_1[j] = start[j] + e_1[j]
    v_t[j] = e_t[j] + max over i of (v_(t-1)[i] + A[i, j]),    b_t[j] = the i of that maximum
    y_T = the j of the highest v_T[j] + end[j],                y_(t-1) = b_t[y_t]

-10000 stands where a tag may not begin, follow or end."""

CALIBRATED = """

For probabilities that can be trusted as such, divide all these scores by {temperature:.6g} first,
the temperature that calibrates them. What is predicted stays the same."""

LEARNED = """

Here the tags of the network are not those of `labels.json`, but, in this order, {tags}. In what is
predicted write `B-` for `S-` and `I-` for `E-`; the probability of either is the sum of both."""
