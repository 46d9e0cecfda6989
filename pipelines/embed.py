"""The same as ``nlp-rnn stage embed NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "embed", *sys.argv[1:]]))
