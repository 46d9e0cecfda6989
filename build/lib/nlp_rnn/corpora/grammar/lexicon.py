"""The words of the grammars, by class. Within a class, more frequent words come first."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from .emission import LetterModel, WordClass
from .inflection import participle, past, plural

# ---------------------------------------------------------------- running text, by its topics

_TOPIC_NOUNS = {
    "harbour": """boat sailor captain net wave pier storm anchor ferry gull rope deck fisherman
        tide crate lighthouse mast crab barge diver lobster pilot sail dock""",
    "farm": """cow farmer field horse barn sheepdog tractor fence hen orchard lamb goat shepherd
        meadow pig stable calf hedge bull haystack duck mare plough furrow""",
    "court": """judge lawyer witness trial jury clerk verdict thief case prisoner sentence law
        suspect statute bailiff plea victim crime oath alibi warrant motive hearing cell""",
    "kitchen": """cook pot oven soup knife plate onion sauce waiter loaf stove potato pan cake
        tomato spoon bowl recipe kettle pastry carrot stew apron ladle""",
    "stage": """actor singer song curtain scene dancer drum violin audience director costume
        rehearsal melody opera spotlight orchestra chorus puppet script flute mask ballad
        trumpet piano""",
}
_TOPIC_TRANSITIVE = {
    "harbour": "load tow moor steer haul repair launch board",
    "farm": "milk feed graze shear herd harvest groom rear",
    "court": "accuse question arrest dismiss summon defend convict pardon",
    "kitchen": "cook bake taste stir boil peel serve roast",
    "stage": "rehearse perform sing conduct applaud compose direct prompt",
}
_TOPIC_INTRANSITIVE = {
    "harbour": "sail drift dive sink float",
    "farm": "wander kneel roam rest doze",
    "court": "confess appeal testify object plead",
    "kitchen": "simmer sizzle steam burn dine",
    "stage": "dance bow act whistle improvise",
}
_TOPIC_ADJECTIVES = {
    "harbour": "salty wooden rusty stormy distant",
    "farm": "muddy green fertile woolly lame",
    "court": "guilty innocent stern solemn honest",
    "kitchen": "warm spicy sweet bitter crisp",
    "stage": "famous graceful loud comic shy",
}
_NOUNS = """man woman child friend house door dog stranger garden road letter boy girl neighbour
    table visitor box window teacher guest river doctor cousin wall bottle basket uncle street
    hill lamp chair cat guard bridge student owner blanket"""
_TRANSITIVE = "see like find need follow watch know help want hear carry remember"
_INTRANSITIVE = "wait smile sleep stay fall work stand laugh arrive speak"
_ADJECTIVES = "old small young big tired little heavy quiet strange broken poor tall"
_TIMES = "yesterday today later sometimes often meanwhile afterwards eventually"
_MANNERS = "slowly quietly again together alone there outside well early patiently"
_FRIENDS = "Anna Peter Clara Simon Rosa Hugo Marta Felix Vera Leo Olga Nils"

# ---------------------------------------------------------------- tagged sentences

# Noun and verb in one form: the heart of the ambiguity.
_HOMOGRAPHS = """walk work plan talk call visit change answer play watch help hope look move
    offer order paint park phone place point report rest result return search shop show sign
    smile smoke sound start step stop study support surprise test touch trade train travel turn
    use vote wash wish attack award benefit blame brush camp cause charge claim comment cover
    cross crowd dance demand design doubt dress escape exchange farm fear guess guide hunt
    increase influence interest joke judge kick kiss land laugh limit link load lock mark march
    measure need nurse notice pay plant practice praise promise protest push race rain record
    repair reply request rescue respect reward risk rule sample score share shout signal stage
    stay stretch struggle taste tour trap treat trick trust wait wave whisper whistle worry"""
_TAGGED_NOUNS = """man woman child house day year city garden letter river teacher book road door
    village friend family office story school idea window doctor town machine animal kitchen
    lawyer museum engine forest farmer country brother sister market island bridge basket person
    student soldier song minute hotel valley shelf hero wife professor lake bird station
    newspaper computer ticket pocket corner mountain cloud lamp tower theatre painter sailor"""
_TAGGED_VERBS = """open carry discover describe explain enjoy destroy collect deliver admire
    finish follow close invent learn listen mention obtain publish receive remove replace ruin
    select solve arrive belong exist happen vanish appear depart remain succeed wander"""
# Verbs whose past participles occur before nouns, as adjectives, as often as after auxiliaries.
_ATTRIBUTIVE = """paint repair close finish open cover destroy plan print record wash limit mark
    lock smash collect share polish ruin invite abandon design crowd"""
_TAGGED_ADJECTIVES = """old new small big young good large great different local poor happy
    strange quiet rich empty famous heavy warm modern narrow simple ancient proud honest gentle
    pale rough bright hollow"""
# Adjective before a noun, adverb after a verb.
_FLAT = "fast hard late early straight long loud deep close near right daily weekly wrong"
# Adjective before a noun, and a noun.
_ADJECTIVE_NOUNS = """light cold human dark present past secret native expert musical criminal
    official individual"""
_ADVERBS = """soon often again quickly suddenly quietly slowly rarely carefully gladly badly
    calmly politely"""
_DEGREES = "very rather quite too so really"
_NUMBERS = "two three four five six seven ten twelve twenty forty sixty"
_PREPOSITIONS = "in of on at with from near for under behind by after before since over"
_MODALS = "will can may must could should"
_PARTICLES = "up in on over back around down behind"

# ---------------------------------------------------------------- reviews

_PRAISE = """good moving clever funny gripping charming fresh brilliant witty lively convincing
    touching elegant delightful strong powerful superb original subtle warm graceful honest
    absorbing memorable inspired tender stylish thrilling radiant polished daring vivid
    haunting joyful deft dazzling faultless spirited soulful cheerful rousing masterly enchanting
    amusing rewarding sparkling assured"""
_BLAME = """bad dull boring weak slow tedious clumsy stale wooden flat dreary awkward predictable
    shallow tiresome lifeless silly confusing cheap forced ugly hollow bland irritating
    pointless noisy messy shabby lame joyless
    muddled laboured listless gloomy mindless sloppy tasteless soulless vapid stilted grating
    dismal sluggish amateurish wearisome soporific"""
_ASPECTS = """story acting plot film dialogue music script ending cast direction humour opening
    photography pace score hero villain romance editing soundtrack finale middle lighting
    screenplay premise storyline staging puzzle comedy drama narration atmosphere setting
    choreography"""
_LIKED = "enjoyed loved admired liked praised recommended treasured applauded"
_DISLIKED = "hated disliked regretted resented loathed mocked endured despised"
_TRIUMPHS = "triumph joy masterpiece delight treat gem success pleasure"
_FAILURES = "mess failure disaster bore disappointment waste chore mistake"
_COMPANIONS = """brother sister friend neighbour wife husband cousin uncle aunt boss daughter
    colleague"""
_CINEMAS = "cinema festival theatre hotel club village library museum school airport"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_HEROES = """detective sailor teacher soldier painter widow farmer nurse thief lawyer pilot singer
    gardener baker priest driver clown queen dentist surgeon butler sculptor shepherd spy"""
_DEEDS = """follows meets leaves rescues forgets hunts remembers forgives finds marries betrays
    teaches protects deceives"""
_QUARRIES = """brother letter dog house stranger daughter treasure map killer village ring horse
    ghost diary painting secret garden lion violin castle"""
_REVIEW_DEGREES = "really very quite truly rather particularly especially so"

# ---------------------------------------------------------------- entities

_TITLES = "Mr Mrs Dr Captain Judge Professor Sister Uncle"
_ROLES = """lawyer singer teacher painter minister farmer doctor poet driver actor nurse pilot
    mayor coach surgeon"""
_PERSON_VERBS = """said smiled laughed married slept wept nodded sighed coughed shaved blushed
    sang whispered"""
_FIRM_VERBS = """announced acquired hired merged published exported launched manufactured insured
    refunded sponsored financed licensed"""
_SHARED_VERBS = "won lost helped thanked praised"
_PLACE_NOUNS = "river valley harbour coast hills airport region railway countryside"
_FIRM_NOUNS = """shares profits employees factories products customers shareholders subsidiaries
    branches"""
_PERSON_NOUNS = "father mother brother wife husband son daughter childhood cousin"
_FIRM_WORDS = "firm company airline publisher brewery agency insurer"
_PLACE_WORDS = "town village city island province suburb district"
_FIRM_SUFFIXES = "Ltd Group Bank Motors Press Airlines Union Holdings"
_PLACE_PREFIXES = "North Port Lake South Mount Upper"
_PLACE_SUFFIXES = "Hill Bay Valley Bridge Falls Heath"
_OBJECTS = """report letter car house dog book ticket piano map lamp picture coat garden horse
    boat speech"""
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_FIRST_NAMES = """Anna Peter Clara David Elena Felix Greta Hugo Ines Jonas Karla Leo Marta Nils
    Olga Boris Rosa Simon Tessa Ulric Vera Walter Yara Zeno Amos Bella Conrad Dora Emil Flora"""
# Names shared by people, places and firms.
_SHARED_NAMES = """Marlow Denton Harwick Calder Ashby Lorne Selwyn Barlow Winslow Tarrant Hadley
    Merton Kendal Rowan Stroud Camden Weston Galway Bristow Elgin Farnham Halden Irvine Jarrow
    Kelso Lanark Morven Norwell Oakley Penrith Quarley Redmond Stanton Thornby Upton Verdon
    Wexley Yarrow Ardley Belton Corwin Dunmore Evesham Forres Glenside Hexley Isham Kirby Lydford
    Malvern"""
_SURNAMES = """Anders Becker Carlson Doyle Ericson Fischer Grieg Hansen Ibsen Jensen Kowal Larsen
    Mohr Novak Olsen Pavlik Quist Rossi Sato Tanaka Umber Vargas Weiss Xavier Young Zeller
    Moreno Silva Costa Haas"""
_TOWNS = """Avalon Brennick Cardona Delmar Estoria Fenwater Gorland Hartmouth Ilvania Junesco
    Kestria Lumara Mirandel Norvia Ostrava Pellonia Quintara Ravensk Sandrona Tolvania Umbria
    Valdora Westmark Yorvia Zandria"""
_FIRMS = """Acton Bexcor Cantrex Daltec Enerco Finmark Glomax Hydrona Interlux Jetwell Kinetrix
    Lumitec Metrodyne Nordwerk Omnicor Petrolan Quantix Rexford Solarix Transvia Unimex Vectron
    Wellcor Xanthor Zentrum"""

# Letters of fresh names, with relative weights; "-" is the empty coda.
_ONSETS = """b6 d7 f4 g5 h5 k7 l8 m8 n8 p5 r8 s8 t8 v5 z2 br2 dr2 gr2 kr2 st3 tr3"""
_NUCLEI = """a12 e10 i9 o9 u5 ai1 ea1 ia1 io1"""
_CODAS = """-10 n5 r4 s4 l3 m2 nd1 rk1 x1 sk1"""
# The weak evidence of spelling: how much more likely an ending is in names of one type.
_TILTS = {
    "PER": {"s": 1.5, "n": 1.5, "sk": 2.0},
    "LOC": {"": 1.3, "nd": 3.0, "m": 1.5},
    "ORG": {"x": 4.0, "rk": 2.0, "l": 1.3},
}

_IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "wife": "wives",
    "knife": "knives", "loaf": "loaves", "calf": "calves", "shelf": "shelves", "hero": "heroes",
    "tomato": "tomatoes", "potato": "potatoes", "fisherman": "fishermen",
}  # fmt: skip
_IRREGULAR_PASTS = {"pay": "paid"}
_IRREGULAR_PARTICIPLES = {"lie": "lying", "see": "seeing", "tie": "tying"}


def _forms(verbs: str) -> dict[str, list[str]]:
    """Inflected forms of verbs: base, s, ed, ing; and sg and pl of the present tense."""
    stems = verbs.split()
    present = {"base": stems, "s": [plural(verb) for verb in stems]}
    return present | {
        "ed": [_IRREGULAR_PASTS.get(verb, past(verb)) for verb in stems],
        "ing": [_IRREGULAR_PARTICIPLES.get(verb, participle(verb)) for verb in stems],
        "sg": present["s"],
        "pl": present["base"],
    }


def _numbers(nouns: str) -> dict[str, list[str]]:
    """Singular and plural of nouns."""
    stems = nouns.split()
    return {"sg": stems, "pl": [_IRREGULAR_PLURALS.get(noun, plural(noun)) for noun in stems]}


def _named(prefix: str, forms: Mapping[str, list[str]]) -> Iterator[tuple[str, WordClass]]:
    for form, words in forms.items():
        yield f"{prefix}.{form}", WordClass.zipfian(words)


def _text_classes() -> Iterator[tuple[str, WordClass]]:
    yield from _named("noun", _numbers(_NOUNS))
    yield from _named("transitive", _forms(_TRANSITIVE))
    yield from _named("intransitive", _forms(_INTRANSITIVE))
    yield from _named("adjective", {topic: w.split() for topic, w in _TOPIC_ADJECTIVES.items()})
    for topic, nouns in _TOPIC_NOUNS.items():
        yield from _named(f"noun.{topic}", _numbers(nouns))
        yield from _named(f"transitive.{topic}", _forms(_TOPIC_TRANSITIVE[topic]))
        yield from _named(f"intransitive.{topic}", _forms(_TOPIC_INTRANSITIVE[topic]))
    lists = {"adjective": _ADJECTIVES, "time": _TIMES, "manner": _MANNERS}
    for name, words in lists.items():
        yield name, WordClass.zipfian(words.split())
    yield "friend", WordClass.zipfian(_FRIENDS.split(), letters=letter_model("PER"), fresh=0.05)


def _tagging_classes() -> Iterator[tuple[str, WordClass]]:
    yield from _named("both", _forms(_HOMOGRAPHS))
    yield from _named("thing", _numbers(_TAGGED_NOUNS))
    yield from _named("action", _forms(_TAGGED_VERBS))
    lists = {
        "done": " ".join(_forms(_ATTRIBUTIVE)["ed"]),
        "quality": _TAGGED_ADJECTIVES,
        "flat": _FLAT,
        "light": _ADJECTIVE_NOUNS,
        "adverb": _ADVERBS,
        "degree": _DEGREES,
        "number": _NUMBERS,
        "preposition": _PREPOSITIONS,
        "particle": _PARTICLES,
        "modal": _MODALS,
    }
    for name, words in lists.items():
        yield name, WordClass.zipfian(words.split())


def _review_classes() -> Iterator[tuple[str, WordClass]]:
    lists = {
        "valued.positive": _PRAISE,
        "valued.negative": _BLAME,
        "felt.positive": _LIKED,
        "felt.negative": _DISLIKED,
        "summed.positive": _TRIUMPHS,
        "summed.negative": _FAILURES,
        "aspect": _ASPECTS,
        "companion": _COMPANIONS,
        "cinema": _CINEMAS,
        "day": _DAYS,
        "hero": _HEROES,
        "deed": _DEEDS,
        "quarry": _QUARRIES,
        "intensity": _REVIEW_DEGREES,
    }
    for name, words in lists.items():
        yield name, WordClass.zipfian(words.split())


def _entity_classes() -> Iterator[tuple[str, WordClass]]:
    lists = {
        "title": _TITLES,
        "role": _ROLES,
        "act.PER": _PERSON_VERBS,
        "act.ORG": _FIRM_VERBS,
        "act": _SHARED_VERBS,
        "belonging.PER": _PERSON_NOUNS,
        "belonging.LOC": _PLACE_NOUNS,
        "belonging.ORG": _FIRM_NOUNS,
        "kind.LOC": _PLACE_WORDS,
        "kind.ORG": _FIRM_WORDS,
        "prefix": _PLACE_PREFIXES,
        "suffix.LOC": _PLACE_SUFFIXES,
        "suffix.ORG": _FIRM_SUFFIXES,
        "object": _OBJECTS,
        "weekday": _WEEKDAYS,
        "forename": _FIRST_NAMES,
    }
    for name, words in lists.items():
        yield name, WordClass.zipfian(words.split())
    own = {"PER": _SURNAMES, "LOC": _TOWNS, "ORG": _FIRMS}
    for kind, words in own.items():
        pairs = zip(_SHARED_NAMES.split(), words.split(), strict=False)
        rest = _SHARED_NAMES.split()[len(words.split()) :]
        gazetteer = [name for pair in pairs for name in pair] + rest
        yield f"name.{kind}", WordClass.zipfian(gazetteer, 1.0, letter_model(kind), fresh=0.35)


def letter_model(kind: str) -> LetterModel:
    """The spelling of fresh names of a type: PER, LOC or ORG."""
    onsets, nuclei = _letters(_ONSETS, {}), _letters(_NUCLEI, {})
    return LetterModel((0.1, 0.6, 0.3), onsets, nuclei, _letters(_CODAS, _TILTS[kind]))


def _letters(written: str, tilts: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of letter groups from their weights, some of them tilted."""
    weights = {
        letters.strip("-"): float(weight) * tilts.get(letters.strip("-"), 1.0)
        for letters, weight in re.findall(r"([a-z]+|-)(\d+)", written)
    }
    total = sum(weights.values())
    return {letters: weight / total for letters, weight in weights.items()}


@lru_cache(maxsize=1)
def lexicon() -> dict[str, WordClass]:
    """All emission classes by the names that the rules use."""
    sections = (_text_classes(), _tagging_classes(), _review_classes(), _entity_classes())
    return {name: word_class for section in sections for name, word_class in section}
