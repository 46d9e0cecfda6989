"""The rules of the built-in corpora, in the notation of ``rules``."""

# Sentiment depends on word order and negation. Most remarks have a plain and a negated form with
# the same adjectives, and the plain one is somewhat more frequent; a remark agrees with the
# review's label most of the time.
_REVIEW = """
review[label] -> aside?0.7 evidence[label] aside?0.4 evidence[label] evidence[label]
                 aside?0.3 verdict[label]?0.4
evidence[label] -> 88 remark[label] | 12 remark[~label]
verdict[label] -> 93 summary[label] | 7 summary[~label]

remark[label] -> 46 plain[label] | 22 negated[label] | 28 concession[label] | 8 contrast[label]
               | 8 comparison[label]

plain[label] -> 5 "the" <aspect> "was" view?0.3 <intensity>?0.6 <valued.label> "."
              | 2 "i" "really"?0.4 <felt.label> "the" <aspect> "."
              | 2 "for me the" <aspect> "felt" <intensity>?0.6 <valued.label> "."
              | 1 "how" <valued.label> "the" <aspect> "was !"

negated[label] -> 4 "the" <aspect> "was" negator view?0.3 <intensity>?0.6 <valued.~label> "."
                | 2 "i" never <felt.~label> "the" <aspect> "."
                | 2 "not for one moment did the" <aspect> "feel" <intensity>?0.6 <valued.~label> "."
                | 1 "nobody could call the" <aspect> <intensity>?0.6 <valued.~label> "."
                | 1 "at no point was the" <aspect> <intensity>?0.6 <valued.~label> "."
view -> 2 ", to my mind ," | 1 ", i thought ," | 1 ", all in all ,"
negator -> 4 "not" | 2 "never" | 2 "hardly ever" | 1 "by no means" | 1 "far from"
         | 1 "anything but"
never -> 3 "never" | 2 "hardly" | 1 "by no means"

concession[label] -> 3 "although the" <aspect> state[~label] ", the" <aspect> state[label] "."
                   | 3 "the" <aspect> state[label] ", although the" <aspect> state[~label] "."
                   | 2 "the" <aspect> state[~label] ", but the" <aspect> state[label] "."
                   | 1 "despite the" <valued.~label> <aspect> ", the" <aspect> state[label] "."
state[label] -> "was" <intensity>?0.3 <valued.label> | "felt" <intensity>?0.3 <valued.label>

contrast[label] -> <valued.label> ", not" <valued.~label> "at all" "."
comparison[label] -> "the" <aspect> "was more" <valued.label> "than" <valued.~label> "."

summary[label] -> 5 "in short , a" <summed.label> "."
                | 3 "in short ," no "a" <summed.~label> "."
                | 2 "more a" <summed.label> "than a" <summed.~label> "."
no -> "not" | "hardly" | "anything but"

aside -> 3 "we saw it on a" <day> "with my" <companion> "."
       | 2 "it was shown at the" <cinema> "near my" <companion> "."
       | 3 "a" <hero> <deed> "a" <quarry> "and" <deed> "another" <hero> "."
       | 2 "it is about a" <hero> "and a" <quarry> "."
"""
REVIEWS = f"""
feature label = positive | negative
start review[label]
noise positive = negative 0.03
noise negative = positive 0.03
{_REVIEW}"""
# One review in twenty is a complaint.
SKEWED_REVIEWS = f"""
feature label = 19 positive | 1 negative
start review[label]
noise positive = negative 0.001
noise negative = positive 0.02
{_REVIEW}"""

# Nouns and verbs share forms, as do participles and adjectives, adverbs and adjectives, and
# prepositions, particles and conjunctions; "that", "to", "her" and auxiliaries have several tags.
PARTS_OF_SPEECH = """
feature num = 3 sg | 2 pl
feature other = 3 sg | 2 pl
start sentence
noise NOUN = VERB 0.008 | PROPN 0.006 | ADJ 0.006
noise VERB = NOUN 0.012 | AUX 0.006 | ADJ 0.006
noise ADJ = NOUN 0.01 | ADV 0.01 | VERB 0.01
noise ADV = ADJ 0.015 | ADP 0.01
noise ADP = ADV 0.01 | SCONJ 0.01
noise SCONJ = ADP 0.015 | PRON 0.01
noise DET = PRON 0.008
noise PRON = DET 0.01
noise AUX = VERB 0.015

sentence -> 8 opening?0.2 clause[num] "."/PUNCT
          | 2 clause[num] ","/PUNCT conjunction clause[other] "."/PUNCT
          | 2 clause[num] subordinator short[other] "."/PUNCT
          | 1 subordinator short[num] ","/PUNCT clause[other] "."/PUNCT
          | 1 question[num] "?"/PUNCT
          | 1 "please"/ADV?0.4 vp[base] "."/PUNCT
opening -> 2 preposition np[num] ","/PUNCT | 1 <adverb>/ADV ","/PUNCT | 1 "so"/ADV ","/PUNCT
conjunction -> 3 "and"/CCONJ | 3 "but"/CCONJ | 1 "or"/CCONJ | 1 "so"/CCONJ
subordinator -> 2 "because"/SCONJ | 2 "before"/SCONJ | 2 "after"/SCONJ | 2 "since"/SCONJ
              | 1 "while"/SCONJ | 1 "as"/SCONJ | 1 "if"/SCONJ | 1 "although"/SCONJ
question[num] -> 2 do[num] pronoun[num] vp[base] | 2 <modal>/AUX np[num] vp[base]
               | 1 "what"/PRON do[num] np[num] verb[base]
               | 1 be[num] np[num] <degree>/ADV?0.3 adjective
do[sg] -> 2 "does"/AUX | 2 "did"/AUX
do[pl] -> 2 "do"/AUX | 2 "did"/AUX

clause[num] -> 6 subject[num] predicate[num] | 1 "there"/PRON be[num] np[num] pp
short[num] -> 2 pronoun[num] finite[num] | 2 np[num] finite[num] | 1 np[num] finite[num] np[other]
            | 1 pronoun[num] be[num] adjective
subject[num] -> 5 np[num] | 2 np[num] pp | 3 pronoun[num] | 1 np[num] relative[num]
              | 1 <name.PER>/PROPN
relative[num] -> 2 "that"/PRON finite[num] np[other] | 1 "who"/PRON finite[num]
               | 1 "that"/PRON pronoun[other] finite[other]
predicate[num] -> 6 finite_vp[num] | 2 <modal>/AUX vp[base] | 2 do[num] "not"/PART vp[base]
                | 2 have[num] "not"/PART?0.2 vp[ed] | 2 be[num] vp[ing]
                | 2 be[num] verb[ed] "by"/ADP np[other]
                | 2 be[num] <degree>/ADV?0.4 adjective
                | 1 be[num] np[num]
                | 1 have_main[num] np[other]
                | 1 finite[num] "that"/SCONJ short[other]
finite_vp[sg] -> 3 vp[s] | 2 vp[ed]
finite_vp[pl] -> 3 vp[base] | 2 vp[ed]
finite[sg] -> 3 verb[s] | 2 verb[ed]
finite[pl] -> 3 verb[base] | 2 verb[ed]
be[sg] -> 3 "is"/AUX | 2 "was"/AUX
be[pl] -> 3 "are"/AUX | 2 "were"/AUX
have[sg] -> 2 "has"/AUX | 1 "had"/AUX
have[pl] -> 2 "have"/AUX | 1 "had"/AUX
have_main[sg] -> 2 "has"/VERB | 2 "had"/VERB | 1 "does"/VERB
have_main[pl] -> 2 "have"/VERB | 2 "had"/VERB | 1 "do"/VERB

feature form = base | s | ed | ing
vp[form] -> 4 verb[form] np[num] | 2 verb[form] | 2 verb[form] pp
          | 1 verb[form] "to"/PART verb[base] np[num]?0.5
          | 1 verb[form] <flat>/ADV | 1 verb[form] <adverb>/ADV
          | 1 verb[form] <particle>/ADV | 1 verb[form] "her"/PRON | 1 verb[form] pronoun_object
          | 1 verb[form] np[num] pp
          | 1 verb[form] "that"/PRON
verb[form] -> 5 <both.form>/VERB | 3 <action.form>/VERB
pronoun_object -> "him"/PRON | "them"/PRON | "it"/PRON | "us"/PRON | "me"/PRON
pronoun[sg] -> 3 "he"/PRON | 3 "she"/PRON | 2 "it"/PRON | 1 "this"/PRON | 1 "that"/PRON
             | 1 "one"/PRON
pronoun[pl] -> 3 "they"/PRON | 3 "we"/PRON | 2 "you"/PRON | 1 "these"/PRON | 1 "those"/PRON
             | 1 "all"/PRON

np[sg] -> determiner[sg] <number>/NUM?0.01 modifier?0.3 noun[sg]
np[pl] -> 4 determiner[pl] <number>/NUM?0.1 modifier?0.3 noun[pl]
        | 1 <number>/NUM modifier?0.3 noun[pl] | 1 modifier?0.3 noun[pl]
determiner[sg] -> 8 "the"/DET | 3 "another"/DET | 1 "each"/DET | 2 "her"/DET | 2 "his"/DET
                | 2 "that"/DET | 1 "this"/DET | 1 "one"/NUM | 1 "no"/DET | 1 "every"/DET
determiner[pl] -> 6 "the"/DET | 2 "her"/DET | 2 "his"/DET | 2 "these"/DET | 1 "those"/DET
                | 1 "all"/DET | 1 "no"/DET
modifier -> 4 adjective | 1 <degree>/ADV adjective | 1 <light>/NOUN
adjective -> 4 <quality>/ADJ | 2 <done>/ADJ | 1 <flat>/ADJ | 1 <light>/ADJ
noun[sg] -> 9 <thing.sg>/NOUN | 9 <both.base>/NOUN | 1 <light>/NOUN
noun[pl] -> <thing.pl>/NOUN | <both.s>/NOUN
preposition -> 6 <preposition>/ADP | 1 "to"/ADP | 1 "like"/ADP
pp -> preposition np[num]
"""

# The words around a name almost always reveal its type, its spelling hardly ever. "mark" is the
# type that the annotator gives a whole mention, which is occasionally random.
ENTITIES = """
feature type = 4 PER | 3 LOC | 3 ORG
feature mark = PER | LOC | ORG
untagged O
start sentence

sentence -> setting?0.25 event coda?0.3 "."
setting -> 2 "in" mention[LOC] "," | 1 "on" <weekday> "," | 1 "near" mention[LOC] ","
coda -> 2 "in" mention[LOC] | 1 "on" <weekday> | 1 "at the" <kind.LOC> "of" mention[LOC]
event -> 4 person <act.PER> tail
       | 2 person "and" person <act.PER> tail
       | 4 firm <act.ORG> deal
       | 2 "the" <belonging.ORG> "of" firm "rose"
       | 2 "the" <belonging.PER> "of" person <act.PER>
       | 2 "the" <belonging.LOC> "of" place "was flooded"
       | 2 person "works for" firm
       | 2 person "travelled from" place "to" place
       | 1 firm "hired" person
       | 2 "the road to" place "was closed"
       | 1 firm "moved from" place "to" place
       | 1 mention[type] <act> tail
       | 2 "the" <role> <act> "the" <object>
person -> 5 mention[PER] | 2 <title> mention[PER] | 2 "the" <role> mention[PER]
firm -> 4 mention[ORG] | 1 "the" <kind.ORG> mention[ORG]
place -> 4 mention[LOC] | 1 "the" <kind.LOC> "of" mention[LOC]
tail -> 2 "about the" <object> | 1 "and left" | 1 "with the" <role>
deal -> 2 "a" <object> | 1 "the" <object> "of" person | 1 "its" <belonging.ORG>

mention[type] -> 97 name[type, type] | 3 name[type, mark]
name[PER, mark] -> 4 <forename>/B-mark <name.PER>/I-mark | 4 <name.PER>/B-mark
                 | 1 <forename>/B-mark
name[LOC, mark] -> 6 <name.LOC>/B-mark | 1 <prefix>/B-mark <name.LOC>/I-mark
                 | 1 <name.LOC>/B-mark <suffix.LOC>/I-mark
name[ORG, mark] -> 6 <name.ORG>/B-mark | 2 <name.ORG>/B-mark <suffix.ORG>/I-mark
                 | 1 <name.PER>/B-mark "and"/I-mark "Sons"/I-mark
                 | 1 "University"/B-mark "of"/I-mark <name.LOC>/I-mark
"""

# A verb agrees with a subject that may be several words back, and the topic of a sentence is
# usually that of the previous one.
TEXT = """
feature num = 3 sg | 2 pl
feature other = 3 sg | 2 pl
feature topic = harbour | farm | court | kitchen | stage
start line[topic]
persist 0.9

line[topic] -> 4 opening?0.2 clause[topic] "."
             | 1 clause[topic] "," joint phrase[topic] "."
opening -> <time> ","
joint -> 3 "and" | 2 "but" | 1 "while"
clause[topic] -> subject[topic, num] predicate[topic, num]
phrase[topic] -> np[topic, num] action[topic, num]
subject[topic, sg] -> 9 long_np[topic, sg] | 1 <friend>
subject[topic, pl] -> long_np[topic, pl]
long_np[topic, num] -> 6 np[topic, num] | 2 np[topic, num] pp[topic]
                     | 1 np[topic, num] "that" transitive[topic, num] np[topic, other]
                     | 1 np[topic, num] "that" np[topic, other] transitive[topic, other]
predicate[topic, num] -> 5 transitive[topic, num] np[topic, other]
                       | 2 transitive[topic, num] np[topic, other] pp[topic]
                       | 2 intransitive[topic, num] pp[topic]
                       | 1 intransitive[topic, num] <manner>
                       | 2 be[num] going[topic] np[topic, other]
                       | 2 be[num] adjective[topic]
action[topic, num] -> 3 transitive[topic, num] np[topic, other] | 2 intransitive[topic, num]
be[sg] -> 2 "is" | 1 "was"
be[pl] -> 2 "are" | 1 "were"
going[topic] -> 2 <transitive.topic.ing> | 1 <transitive.ing>
transitive[topic, num] -> 2 <transitive.topic.num> | 1 <transitive.num>
intransitive[topic, num] -> 2 <intransitive.topic.num> | 1 <intransitive.num>
np[topic, num] -> determiner[num] adjective[topic]?0.25 noun[topic, num]
determiner[sg] -> 6 "the" | 3 "each" | 1 "every" | 1 "this"
determiner[pl] -> 6 "the" | 2 "some" | 1 "many" | 1 "these"
adjective[topic] -> 2 <adjective.topic> | 1 <adjective>
noun[topic, num] -> 3 <noun.topic.num> | 1 <noun.num>
pp[topic] -> preposition np[topic, num]
preposition -> 4 "in" | 3 "near" | 2 "with" | 1 "behind" | 1 "under" | 1 "by"
"""
