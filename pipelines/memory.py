"""The same as ``nlp-rnn stage memory NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "memory", *sys.argv[1:]]))
