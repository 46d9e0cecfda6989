"""Tagging schemes for entities: reading them, and recognising them.

Every scheme writes ``O`` outside entities, otherwise a prefix, a hyphen and the entity's type.

=========  ===========  ===================================================================
scheme     prefixes     where they stand
=========  ===========  ===================================================================
``BIO``    ``B I``      begin, inside; also IOB2 (Tjong Kim Sang & Veenstra 1999)
``IOB1``   ``B I``      ``B`` only after an entity of its type (Ramshaw & Marcus 1995)
``BIOES``  ``B I E S``  begin, inside, end, a single word; also IOBES
``BILOU``  ``B I L U``  begin, inside, last, a single word (Ratinov & Roth 2009); also BIOLU
``BMES``   ``B M E S``  begin, middle, end, a single word; usual for Chinese
``BMEWO``  ``B M E W``  begin, middle, end, a whole entity in one word
=========  ===========  ===================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import get_args

from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.errors import UserError
from nlp_rnn.example import Scheme

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

ROLES: dict[Scheme, dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BILOU": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
    "BMEWO": {"B": "B", "M": "I", "E": "E", "W": "S"},
}
"""The role of each prefix, as a letter of BIOES: begin, inside, end, single."""

_PREFIXES = frozenset().union(*ROLES.values())
_ENTITY = re.compile(f"[{''.join(sorted(_PREFIXES))}]-.+")
CLASSES = Setting("scheme", "null")
"""The setting by which tags are classes of words."""

_OTHER_FORM = re.compile(r"(?P<before>[BIELMSUW])_.+|.+[-_](?P<after>[BIELMSUW])")
"""Entity tags as other tools write them: ``B_PER``, ``PER-B``."""


@lru_cache(maxsize=4096)
def parse_tag(tag: str, scheme: Scheme) -> tuple[str, str]:
    """An entity tag as its role (a letter of BIOES) and type: ``("B", "PER")``, or ``("O", "")``.

    Raises:
        ValueError: it is neither ``O`` nor a prefix of the scheme followed by a hyphen and a type.
    """
    if tag == "O":
        return "O", ""
    prefix, _, entity = tag.partition("-")
    roles = ROLES[scheme]
    if prefix in roles and entity:
        return roles[prefix], entity
    forms = ", ".join(f"{known}-TYPE" for known in roles)
    raise ValueError(
        f"expected a tag O, {forms} (scheme {scheme}), found '{tag}'; correct it, or set scheme "
        f"to that of the tags ({', '.join(SCHEMES)}; null if they are classes of words)"
    )


def to_bio(tags: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Convert a sentence's entity tags to BIO: entities begin with ``B-``, continue with ``I-``.

    A continuing tag (``I-``, ``E-``) begins an entity if no entity of its type is open, as in
    ``conlleval`` of the shared tasks. IOB1, where ``B-`` only separates an entity from an adjacent
    one of the same type, therefore needs no special rule.

    Raises:
        ValueError: a tag is ill-formed (see :func:`parse_tag`).
    """
    converted = []
    open_type: str | None = None
    for tag in tags:
        role, entity = parse_tag(tag, scheme)
        if role == "O":
            converted.append("O")
        elif role in "IE" and open_type == entity:
            converted.append(f"I-{entity}")
        else:
            converted.append(f"B-{entity}")
        open_type = entity if role in "BI" else None
    return tuple(converted)


def words_of(where: str) -> Callable[[int], str]:
    """The place of each word of a sentence."""
    return lambda i: f"{where}, word {i + 1}"


def kept_tags(
    tags: Sequence[str], scheme: Scheme | None, where: Callable[[int], str]
) -> tuple[str, ...]:
    """A sentence's tags as they are kept: in BIO if they mark entities, otherwise unchanged.

    Args:
        scheme: how tags mark entities; None for classes of words.
        where: the place of a word in its file, for the error.

    Raises:
        UserError: a tag is not in the scheme.
    """
    if scheme is None:
        return tuple(tags)
    for i, tag in enumerate(tags):
        try:
            parse_tag(tag, scheme)
        except ValueError as error:
            raise UserError(f"{where(i)}: {error}") from None
    return to_bio(tags, scheme)


def obeys(before: str, after: str, scheme: Scheme) -> bool:
    """Whether a tag may follow another in a scheme; ``O`` stands for both ends of a sentence.

    >>> obeys("O", "I-PER", "BIO"), obeys("B-PER", "O", "BIOES"), obeys("O", "B-PER", "IOB1")
    (False, False, False)
    """
    try:
        first, first_type = parse_tag(before, scheme)
        second, second_type = parse_tag(after, scheme)
    except ValueError:
        return False
    same_entity_type = first in "BI" and first_type == second_type
    if scheme == "IOB1":
        return second != "B" or same_entity_type
    continues = second in "IE"
    if scheme == "BIO":
        return not continues or same_entity_type
    return (continues or first in "BI") <= (continues and same_entity_type)


class TagSurvey:
    """Determines the scheme of a data set's tags, sentence by sentence.

    Memory holds only the distinct pairs of adjacent entity tags.
    """

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], str] = {}
        self._strange: tuple[str, str] | None = None
        self._first: dict[str, str] = {}
        self._other_prefixes: set[str] = set()
        self._all_in_other_form = True

    def add(self, tags: Sequence[str], where: Callable[[int], str]) -> None:
        """Add a sentence.

        Args:
            tags: the tags of its words.
            where: returns the file and line of the word with a given index.
        """
        before = "O"
        for i, tag in enumerate(tags):
            if tag != "O" and not _ENTITY.fullmatch(tag):
                self._add_strange(tag, where(i))
                tag = ""
            elif tag not in self._first:
                self._first[tag] = where(i)
            if (before, tag) not in self._pairs:
                self._pairs[before, tag] = where(i)
            before = tag
        if tags and (before, "O") not in self._pairs:
            self._pairs[before, "O"] = where(len(tags) - 1)

    def _add_strange(self, tag: str, where: str) -> None:
        self._strange = self._strange or (tag, where)
        form = _OTHER_FORM.fullmatch(tag)
        if form:
            self._other_prefixes.add(form["before"] or form["after"])
        else:
            self._all_in_other_form = False

    def scheme(self) -> Scheme | None:
        """The scheme that all tags obey; None if they are classes of words.

        Tags are classes if some do not have the form of entity tags and no tag continues an entity.

        Raises:
            UserError: the tags may mark entities, but obey no scheme; the message names the
                parameter.
        """
        entity_tags = [tag for tag in self._first if tag != "O"]
        obeyed = (s for s in SCHEMES if all(obeys(*pair, s) for pair in self._pairs))
        continued = next(filter(_continues, self._pairs), None)
        if not entity_tags:
            self._check_other_form()
            return None
        if self._strange:
            if continued is None:
                return None
            tag, where = self._strange
            raise SettingError(
                f"{where}: the tag '{tag}' marks no entity, but others do ('{continued[0]}' and "
                f"'{continued[1]}', {self._pairs[continued]}); correct it, or set ",
                CLASSES,
                " if the tags are classes of words",
            )
        if continued is None and len(entity_tags) > 1 and "O" not in self._first:
            tag = entity_tags[0]
            raise SettingError(
                f"{self._first[tag]}: the tag '{tag}' may begin an entity, but no word is outside "
                "entities (O); set ",
                Setting("scheme", _covering(entity_tags)[0]),
                " if the tags mark entities, ",
                CLASSES,
                " if they are classes of words",
            )
        if scheme := next(obeyed, None):
            return scheme
        raise self._ambiguous(entity_tags)

    def _check_other_form(self) -> None:
        marks = self._all_in_other_form and {"B"} < self._other_prefixes and "O" in self._first
        if self._strange and marks:
            tag, where = self._strange
            raise SettingError(
                f"{where}: the tag '{tag}' seems to mark an entity; write such tags as 'B-TYPE', "
                "or set ",
                CLASSES,
                " to learn them as classes of words",
            )

    def _ambiguous(self, entity_tags: Sequence[str]) -> UserError:
        candidates = _covering(entity_tags)
        if not candidates:
            prefixes = ", ".join(sorted({tag[0] for tag in entity_tags}))
            known = ", ".join(f"{scheme} ({' '.join(ROLES[scheme])})" for scheme in SCHEMES)
            first = next(i for i in range(len(entity_tags)) if not _covering(entity_tags[: i + 1]))
            tag = entity_tags[first]
            return SettingError(
                f"{self._first[tag]}: the tag '{tag}': no scheme has the prefixes {prefixes} of "
                f"the tags; correct them to those of a scheme, {known}, or set ",
                CLASSES,
                " if the tags are classes of words",
            )
        breaks = []
        for scheme in candidates:
            pair = next(pair for pair in self._pairs if not obeys(*pair, scheme))
            breaks.append(f"{self._pairs[pair]}: '{pair[1]}' after '{pair[0]}' breaks {scheme}")
        chosen, *others = (Setting("scheme", scheme) for scheme in candidates)
        return SettingError(
            f"{'; '.join(breaks)}; set ",
            chosen,
            *(part for other in others for part in (" or ", other)),
            " to read such tags as conlleval does, or ",
            CLASSES,
            " if the tags are classes of words",
        )


def _continues(pair: tuple[str, str]) -> bool:
    """Whether the second tag continues the first one's entity in any scheme."""
    before, after = pair
    return before[:1] in set("BIM") and after[:1] in set("IMEL") and before[1:] == after[1:]


def _covering(entity_tags: Iterable[str]) -> list[Scheme]:
    """Of the schemes that have the prefixes of all tags, those with the fewest prefixes."""
    prefixes = {tag[0] for tag in entity_tags}
    covering = [scheme for scheme in SCHEMES if prefixes <= set(ROLES[scheme])]
    fewest = min((len(ROLES[scheme]) for scheme in covering), default=0)
    return [scheme for scheme in covering if len(ROLES[scheme]) == fewest]
