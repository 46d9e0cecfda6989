"""``nlp-rnn embeddings``: look at word vectors, judge them, draw them, write them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_rnn.commands import sentence_vectors
from nlp_rnn.commands.arguments import bundle_folder, count, seed, words
from nlp_rnn.errors import UserError
from nlp_rnn.extras import require

if TYPE_CHECKING:
    from nlp_rnn.embeddings.sentence_encoder import SentenceEncoder
    from nlp_rnn.embeddings.subwords import Subwords
    from nlp_rnn.embeddings.vectors import WordVectors

VECTORS_HELP = (
    "a file of vectors (GloVe, word2vec, fastText .vec; plain, .gz or archive.zip!member), a "
    "folder of learned vectors or of a sentence encoder (vectors/NAME), or a trained model: "
    "models/NAME, runs:/RUN_ID, models:/NAME@current"
)
MEASURES = ["cosine", "euclidean", "dot"]
METHODS = ["3cosadd", "3cosmul"]
CORPORA = ["reviews", "parts_of_speech", "entities", "text"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    embeddings = commands.add_parser(
        "embeddings",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Inspect word vectors: downloaded ones, those learned by `dvc repro vectors@NAME`,\n"
            "or the embedding layer of any trained model. A word is looked up as it is\n"
            "written, then in lower case."
        ),
        epilog=(
            "examples:\n"
            "  nlp-rnn embeddings neighbours vectors/grammar-pmi boat -n 5\n"
            "  nlp-rnn embeddings analogy glove.6B.zip!glove.6B.100d.txt man king woman\n"
            "  nlp-rnn embeddings evaluate models/lm-lstm --grammar text\n"
            "  nlp-rnn embeddings plot vectors/grammar-pmi map.html --method tsne\n"
            "  nlp-rnn embeddings export models/sentiment-bilstm projector --format projector"
        ),
    )
    actions = embeddings.add_subparsers(required=True, metavar="ACTION")
    for add_action in (
        _add_neighbours,
        _add_similarity,
        _add_analogy,
        _add_evaluate,
        _add_plot,
        _add_export,
        _add_sentences,
    ):
        add_action(actions)


def _parser(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    description: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help=summary,
        description=description,
    )
    parser.add_argument("vectors", metavar="VECTORS", help=VECTORS_HELP)
    return parser


def _add_measure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", choices=MEASURES, default="cosine", help="(default: cosine)")


def _add_method(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="3cosadd",
        help="score of analogies: cos(d, b) - cos(d, a) + cos(d, c), or their product and quotient "
        "(default: 3cosadd)",
    )


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", type=count, default=10, metavar="N", help="number (default: 10)")


def _add_neighbours(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _parser(
        actions,
        "neighbours",
        "list the nearest words",
        "Print one line for each neighbour of each WORD, the nearest first: the word, its\n"
        "neighbour, and their cosine, Euclidean distance or dot product, separated by\n"
        "tabs.\n\n"
        "The cosine compares only directions. Dot products favour long vectors, often\n"
        "those of frequent words. fastText also has vectors for words that never occurred.",
    )
    parser.add_argument("words", metavar="WORD", nargs="+", type=words)
    _add_number(parser)
    _add_measure(parser)
    parser.set_defaults(action=_neighbours)


def _add_similarity(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _parser(
        actions,
        "similarity",
        "compare two words",
        "Print the cosine, Euclidean distance or dot product of two words.",
    )
    parser.add_argument("word", metavar="WORD", type=words)
    parser.add_argument("other", metavar="OTHER", type=words)
    _add_measure(parser)
    parser.set_defaults(action=_similarity)


def _add_analogy(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _parser(
        actions,
        "analogy",
        "find D in: A is to B as C is to D",
        "Print the words that are to C as B is to A, the best first, with their scores. A,\n"
        "B and C themselves are excluded.",
    )
    for name in ("a", "b", "c"):
        parser.add_argument(name, metavar=name.upper(), type=words)
    _add_number(parser)
    _add_method(parser)
    parser.set_defaults(action=_analogy)


def _add_evaluate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _parser(
        actions,
        "evaluate",
        "evaluate vectors by analogies, similarities and word classes",
        "Evaluate vectors against human knowledge of words. Without options, ask built-in\n"
        "English analogies in lower case: 16 pairs for each of 12 relations. Questions\n"
        "with a word that has no vector are left out and counted. For vectors of a\n"
        "built-in corpus, use --grammar.",
    )
    parser.add_argument(
        "--analogies",
        type=Path,
        metavar="FILE",
        help="four words per line and ': name' before each section, like questions-words.txt; "
        "sections whose names begin with gram are syntactic",
    )
    parser.add_argument(
        "--similarity",
        type=Path,
        metavar="FILE",
        help="two words and a human judgement per line, like WordSim-353, SimLex-999 or MEN; "
        "prints Spearman's correlation",
    )
    parser.add_argument(
        "--grammar",
        choices=CORPORA,
        help="use the word classes of a built-in corpus: how often the nearest word has the same "
        "class, and how pure clusters are",
    )
    parser.add_argument(
        "--most-frequent",
        type=count,
        metavar="N",
        help="use only the first N vectors; published results often use 30000",
    )
    _add_method(parser)
    _add_measure(parser)
    parser.set_defaults(action=_evaluate)


def _add_plot(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _parser(
        actions,
        "plot",
        "plot words in two dimensions",
        "Plot words in two dimensions and write TARGET: an image (.png), or a web page\n"
        "(.html) that you can search and zoom, and that needs no network.\n\n"
        "PCA shows the two directions of greatest variance. t-SNE keeps near neighbours\n"
        "together; the sizes of its clusters and the distances between them mean nothing.\n"
        "Look at several seeds and perplexities before you trust what you see. LLE unrolls\n"
        "surfaces: it keeps how each word lies among its nearest ones.\n\n"
        "With --analogy, draw the parallelogram of 'A is to B as C is to D' instead.",
    )
    parser.add_argument("target", metavar="TARGET", type=Path, help="a .png or .html file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--words", nargs="+", type=words, metavar="WORD", help="words to plot")
    which.add_argument(
        "-n", type=count, default=500, metavar="N", help="plot the first N (default: 500)"
    )
    which.add_argument("--analogy", nargs=3, type=words, metavar=("A", "B", "C"))
    sentence_vectors.add_map_options(parser)
    parser.add_argument("--seed", type=seed, default=1, help="of t-SNE and LLE (default: 1)")
    parser.set_defaults(action=_plot)


def _add_export(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _parser(
        actions,
        "export",
        "write vectors in another format",
        "Write vectors as a file in the text format of word2vec or GloVe, or as a folder\n"
        "with vectors.tsv and metadata.tsv for the TensorBoard projector.",
    )
    parser.add_argument("target", metavar="TARGET", type=Path)
    parser.add_argument("--format", choices=["word2vec", "glove", "projector"], default="word2vec")
    parser.set_defaults(action=_export)


def _add_sentences(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sentences = _parser(
        actions,
        "sentences",
        "write or plot a vector for each line of a file",
        "Write a vector for each line of FILE into OUT: an array (.npy), or texts with\n"
        "their vectors (.jsonl). A name that ends with .png or .html draws a map of the\n"
        "lines instead. Words without a vector are left out; SIF counts words in FILE.\n\n"
        "If VECTORS is a sentence encoder, it is used; --by mean, sif and lstm use the\n"
        "word vectors that it reads.",
    )
    sentence_vectors.add_write(sentences, _open_for_sentences)
    nearest = _parser(
        actions,
        "nearest-sentences",
        "list the lines of a file that are nearest to a text",
        "Print one line for each of the lines of FILE nearest to each TEXT: the text, the\n"
        "line and their cosine, separated by tabs.",
    )
    sentence_vectors.add_nearest(nearest, _open_for_sentences)
    judge = _parser(
        actions,
        "judge-sentences",
        "evaluate sentence vectors by simple classifiers and by relatedness",
        "Compare all ways to make sentence vectors from word vectors, and a learned encoder\n"
        "where VECTORS is one: the accuracy of a logistic regression on them, by\n"
        "cross-validation unless a test file is given, or how well they predict which\n"
        "sentences people find related.",
    )
    sentence_vectors.add_judge(judge, _open_for_sentences)


def _open(name: str) -> tuple[WordVectors, Subwords | None]:
    """What VECTORS means."""
    from nlp_rnn.embeddings.contextual import CONTEXT, words_of
    from nlp_rnn.embeddings.learned import CARD, LearnedVectors
    from nlp_rnn.embeddings.reading import load_vectors
    from nlp_rnn.embeddings.vectors import WordVectors

    subwords = None
    if (encoder := _encoder(name)) is not None:
        vectors = encoder.vectors
    elif name.startswith(("runs:/", "models:/")) or Path(name).is_dir():
        folder = bundle_folder(name)
        if (folder / CONTEXT).is_file():
            vectors = words_of(folder)
        elif (folder / CARD).is_file():
            learned = LearnedVectors.read(folder)
            vectors, subwords = learned.vectors, learned.subwords
        else:
            from nlp_rnn.inference.word_vectors import embedding_vectors

            vectors = embedding_vectors(folder)
    else:
        vectors = load_vectors(name).vectors
    return WordVectors(vectors.words, vectors.matrix, ["lowercase"]), subwords


def _encoder(name: str) -> SentenceEncoder | None:
    """The sentence encoder that VECTORS means, if it is one."""
    from nlp_rnn.embeddings.sentence_encoder import SentenceEncoder, is_sentence_encoder

    return SentenceEncoder.read(Path(name)) if is_sentence_encoder(Path(name)) else None


def _open_for_sentences(name: str) -> tuple[WordVectors, SentenceEncoder | None]:
    """The word vectors and the sentence encoder that VECTORS means."""
    encoder = _encoder(name)
    return (_open(name)[0], None) if encoder is None else (encoder.vectors, encoder)


def _neighbours(options: argparse.Namespace) -> None:
    vectors, subwords = _open(options.vectors)
    for word in options.words:
        unseen = subwords is not None and word not in vectors
        query = subwords.vector(word) if subwords is not None and unseen else word
        for neighbour, value in vectors.neighbours(query, options.n, options.by):
            print(f"{word}\t{neighbour}\t{value:.4f}")


def _similarity(options: argparse.Namespace) -> None:
    vectors, _ = _open(options.vectors)
    print(f"{vectors.similarity(options.word, options.other, options.by):.4f}")


def _analogy(options: argparse.Namespace) -> None:
    vectors, _ = _open(options.vectors)
    answers = vectors.analogy(options.a, options.b, options.c, options.n, options.method)
    for word, score in answers:
        print(f"{word}\t{score:.4f}")


def _evaluate(options: argparse.Namespace) -> None:
    from nlp_rnn.embeddings.intrinsic import (
        evaluate_analogies,
        evaluate_similarity,
        read_analogies,
        read_pairs,
    )
    from nlp_rnn.embeddings.relations import analogies as our_analogies

    analogies = None
    if options.analogies:
        analogies = read_analogies(options.analogies)
    elif not (options.similarity or options.grammar):
        analogies = our_analogies()
    pairs = read_pairs(options.similarity) if options.similarity else None
    vectors, _ = _open(options.vectors)
    if options.most_frequent:
        vectors = vectors.head(options.most_frequent)
    if pairs:
        print(evaluate_similarity(vectors, pairs, options.by))
    if analogies:
        print(evaluate_analogies(vectors, analogies, options.method))
    if options.grammar:
        require("sklearn", "embeddings", "--grammar")

        from nlp_rnn.corpora.grammar import classes_of_words
        from nlp_rnn.embeddings.classes import evaluate_classes

        print(evaluate_classes(vectors, classes_of_words(options.grammar)))


def _plot(options: argparse.Namespace) -> None:
    target: Path = options.target
    if target.suffix not in (".png", ".html"):
        raise UserError(f"{target}: expected a name that ends with .png or .html")
    if options.analogy and target.suffix == ".html":
        raise UserError(f"{target}: the parallelogram is a picture; name it .png")
    if target.suffix == ".png":
        require("matplotlib", "embeddings", "a picture")
    sentence_vectors.require_method(options)

    from nlp_rnn.drawing import save
    from nlp_rnn.embeddings import maps
    from nlp_rnn.embeddings.projection import caption, project
    from nlp_rnn.embeddings.vectors import WordVectors

    vectors, _ = _open(options.vectors)
    if options.analogy:
        save(maps.analogy_picture(vectors, *options.analogy), target)
        return
    if options.words:
        rows = list(dict.fromkeys(vectors.row(word) for word in options.words))
        shown = WordVectors([vectors.words[row] for row in rows], vectors.matrix[rows])
    else:
        shown = vectors.head(options.n)
    how = (options.method, options.perplexity, options.seed, options.neighbours)
    points = project(shown, *how)
    note = caption(shown, points, *how)
    if target.suffix == ".png":
        save(maps.map_picture(shown.words, points, options.vectors, note), target)
    else:
        maps.write_page(shown, points, options.vectors, note, target)


def _export(options: argparse.Namespace) -> None:
    from nlp_rnn.embeddings.export import write_glove, write_projector, write_word2vec

    write = {"word2vec": write_word2vec, "glove": write_glove, "projector": write_projector}
    vectors, _ = _open(options.vectors)
    write[options.format](vectors, options.target)
