"""An encoder-decoder at a terminal: a line in, its output back."""

from __future__ import annotations

import sys
from pathlib import Path

from nlp_rnn.inference.inputs import standard_lines
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.process import log
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.text.vocabulary import UNK, UNK_INDEX


def answer_lines(folder: Path, options: Options, score: bool = False) -> None:
    """Print the output of each line of standard input as soon as it is read; of several the best
    first.

    Args:
        folder: the bundle of an encoder-decoder.
        options: how to search, and how many outputs to print.
        score: whether the log-probability (nats) stands before each output.

    Raises:
        UserError: the bundle is missing, broken or another model, an option does not fit it, or a
            line is no UTF-8 text.
    """
    bundle = Bundle.open(folder)
    bundle.require_encoder_decoder("answer lines")
    options.check(bundle, lambda name: f"--{name.replace('_', '-')}")
    predictor = Predictor.of(bundle, options)
    for _, line in standard_lines(bundle.tokenizer.parameters.bad_bytes):
        text = line.removesuffix("\r")
        _warn_of_unknown(bundle, text)
        [prediction] = predictor.predict([text])
        for found in prediction.get("n_best", [prediction]):
            before = f"{found['log_probability']:.3f}\t" if score else ""
            print(before + found["output"], flush=True)


def _warn_of_unknown(bundle: Bundle, text: str) -> None:
    words = dict.fromkeys(bundle.tokenizer.tokens(text))
    unknown = [word for word in words if bundle.vocabulary.encode([word]) == [UNK_INDEX]]
    if unknown and sys.stdin.isatty():
        log(f"not in the model's vocabulary, so read as {UNK}: {', '.join(unknown)}")
