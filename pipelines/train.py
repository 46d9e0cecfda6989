"""The same as ``nlp-rnn stage train NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "train", *sys.argv[1:]]))
