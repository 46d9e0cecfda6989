"""Built-in analogies in the style of questions-words (Mikolov et al. 2013), for a first look."""

from __future__ import annotations

from itertools import permutations

from nlp_rnn.embeddings.intrinsic import Question

# The names of sections that begin with "gram" are syntactic, as in questions-words.
RELATIONS = {
    "capital-country": (
        "paris france rome italy berlin germany madrid spain london england moscow russia "
        "tokyo japan beijing china cairo egypt athens greece vienna austria dublin ireland "
        "stockholm sweden oslo norway warsaw poland lisbon portugal"
    ),
    "man-woman": (
        "man woman boy girl king queen prince princess father mother son daughter brother sister "
        "husband wife uncle aunt nephew niece he she his her himself herself "
        "actor actress hero heroine host hostess"
    ),
    "thing-kind": (
        "dog animal rose flower oak tree apple fruit carrot vegetable hammer tool piano instrument "
        "chair furniture shirt clothing car vehicle january month monday day gold metal "
        "red colour football sport wine drink"
    ),
    "work-place": (
        "teacher school doctor hospital judge court priest church actor theatre professor "
        "university soldier army sailor ship farmer farm chef kitchen pilot plane clerk office "
        "scientist laboratory prisoner prison monk monastery librarian library"
    ),
    "gram-opposite": (
        "happy unhappy likely unlikely known unknown able unable usual unusual certain uncertain "
        "fair unfair aware unaware necessary unnecessary comfortable uncomfortable "
        "successful unsuccessful pleasant unpleasant expected unexpected important unimportant "
        "believable unbelievable original unoriginal"
    ),
    "gram-comparative": (
        "good better bad worse big bigger small smaller strong stronger weak weaker old older "
        "young younger high higher low lower long longer short shorter fast faster slow slower "
        "hard harder easy easier"
    ),
    "gram-superlative": (
        "good best bad worst big biggest small smallest strong strongest old oldest "
        "young youngest high highest low lowest long longest short shortest fast fastest "
        "great greatest large largest funny funniest early earliest"
    ),
    "gram-participle": (
        "go going make making take taking see seeing play playing run running write writing "
        "read reading walk walking think thinking say saying look looking fight fighting "
        "sing singing move moving tell telling"
    ),
    "gram-past": (
        "go went make made take took see saw come came give gave find found know knew "
        "think thought say said tell told write wrote begin began fall fell win won lose lost"
    ),
    "gram-plural": (
        "year years day days child children man men woman women song songs film films "
        "story stories city cities game games car cars road roads soldier soldiers "
        "book books character characters house houses"
    ),
    "gram-third-person": (
        "go goes make makes take takes see sees come comes give gives find finds know knows "
        "think thinks say says tell tells write writes begin begins fall falls win wins lose loses"
    ),
    "gram-nationality": (
        "france french italy italian germany german spain spanish england english russia russian "
        "japan japanese china chinese egypt egyptian greece greek ireland irish sweden swedish "
        "norway norwegian poland polish india indian mexico mexican"
    ),
}
"""Pairs of words, listed one after the other, that share a relation."""


def analogies() -> dict[str, list[Question]]:
    """Every two pairs of a relation as a question, in both orders.

    >>> questions = analogies()
    >>> questions["capital-country"][0]
    ('paris', 'france', 'rome', 'italy')
    >>> sum(map(len, questions.values()))
    2880
    """
    return {
        relation: [(*first, *second) for first, second in permutations(_pairs(words), 2)]
        for relation, words in RELATIONS.items()
    }


def _pairs(words: str) -> list[tuple[str, str]]:
    each = words.split()
    return list(zip(each[::2], each[1::2], strict=True))
