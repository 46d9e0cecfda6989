"""The same as ``nlp-rnn stage sentence_vector_file NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "sentence_vector_file", *sys.argv[1:]]))
