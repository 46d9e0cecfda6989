"""Built-in pairs of inputs and a target, for which the best prediction is exactly known.

===============  ==========================  =============================================
corpus           inputs                      target
===============  ==========================  =============================================
``translation``  a sentence                  its translation by a synchronous grammar
``addition``     two numbers                 their sum
``arithmetic``   two numbers and an          their sum or difference
                 operation, amid letters
``captions``     a picture as a vector       a sentence that describes it
``questions``    a picture, a question       the answer
===============  ==========================  =============================================

Tokens are parted by spaces, digits too. Each corpus knows ``P(target | inputs)``: it is 1 in
arithmetic, a sum over senses and word orders in translation, and a sum over all pictures that may
have given a noisy vector.
"""

from __future__ import annotations

from nlp_rnn.config import PairsDataset
from nlp_rnn.corpora.paired.arithmetic import Arithmetic
from nlp_rnn.corpora.paired.problem import Problem
from nlp_rnn.corpora.paired.shapes import Captions, Questions
from nlp_rnn.corpora.paired.translation import Translation

__all__ = ["Problem", "make_problem"]


def make_problem(dataset: PairsDataset) -> Problem:
    """The problem that a data set of ``source: pairs`` poses."""
    match dataset.corpus:
        case "translation":
            return Translation()
        case "addition":
            return Arithmetic(dataset.digits, differences=False, letters=0.0)
        case "arithmetic":
            return Arithmetic(dataset.digits, differences=True, letters=dataset.letters)
        case "captions":
            return Captions(dataset.noise)
        case "questions":
            return Questions(dataset.noise)
