"""The same as ``nlp-rnn stage prepare NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "prepare", *sys.argv[1:]]))
