"""Builds the tokenizer that parameters describe, with the version of the rules that they name."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from nlp_rnn.config import TokenizerParameters
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json
from nlp_rnn.hints import Remedy
from nlp_rnn.text import first_rules
from nlp_rnn.text.rules import PatternTokenizer, SubwordTokenizer, Tokenizer

FILE = "tokenizer.json"
"""The parameters of the tokenizer of a prepared data set or a bundle."""

TARGET = "target_"
"""How the names of files about the targets of pairs begin."""


def make_tokenizer(parameters: TokenizerParameters) -> Tokenizer:
    """The tokenizer that ``parameters`` describe; ``unit: auto`` is ``word``.

    >>> make_tokenizer(TokenizerParameters()).tokens("It wasn't BAD, at all!")
    ['it', "wasn't", 'bad', ',', 'at', 'all', '!']
    >>> make_tokenizer(TokenizerParameters(html_breaks=True)).spans("Good<br />fun")
    [('good', 0, 4), ('fun', 10, 13)]
    """
    if parameters.rules == 1:
        return first_rules.make_tokenizer(parameters)
    if parameters.unit == "subword":
        return SubwordTokenizer(parameters)
    return PatternTokenizer(parameters)


def load_parameters(folder: Path, remedy: str | Remedy, prefix: str = "") -> TokenizerParameters:
    """The parameters of the tokenizer in ``folder``, a prepared data set or a bundle.

    Args:
        remedy: what to do if they cannot be read, for the message.
        prefix: :data:`TARGET` for the tokenizer of targets.

    Raises:
        UserError: the file is missing, broken or does not describe a tokenizer.
    """
    file = folder / f"{prefix}{FILE}"
    try:
        # The rules had no version before they were changed for the first time.
        return TokenizerParameters(**{"rules": 1, **read_json(file, remedy)})
    except TypeError:
        raise UserError(f"{file}: not a tokenizer (no JSON object); {remedy}") from None
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UserError(f"{file}: not a tokenizer ({reason}); {remedy}") from None
