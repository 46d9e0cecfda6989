"""The same as ``nlp-rnn stage baselines NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "baselines", *sys.argv[1:]]))
