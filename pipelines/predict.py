"""Batch prediction: ``python pipelines/predict.py MODEL INPUT OUTPUT``, as ``nlp-rnn predict``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
