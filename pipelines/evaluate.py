"""The same as ``nlp-rnn stage evaluate NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "evaluate", *sys.argv[1:]]))
