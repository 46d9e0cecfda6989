"""The same as ``nlp-rnn stage vectors NAME``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["stage", "vectors", *sys.argv[1:]]))
