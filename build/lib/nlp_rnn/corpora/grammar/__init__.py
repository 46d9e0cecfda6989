"""Built-in corpora drawn from a probabilistic grammar, whose optimum is exactly computable."""

from .automaton import Automaton, compile_grammar
from .corpora import (
    CORPORA,
    KINDS,
    automaton,
    classes_of_words,
    generate,
    label_posteriors,
    optimum,
    word_classes,
)
from .rules import GrammarError

__all__ = [
    "CORPORA",
    "KINDS",
    "Automaton",
    "GrammarError",
    "automaton",
    "classes_of_words",
    "compile_grammar",
    "generate",
    "label_posteriors",
    "optimum",
    "word_classes",
]
