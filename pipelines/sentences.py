"""The same as ``nlp-rnn stage sentences NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "sentences", *sys.argv[1:]]))
