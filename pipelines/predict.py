"""Batch prediction: ``python pipelines/predict.py MODEL INPUT OUTPUT``, as ``nlp-rnn predict``."""

import sys

from nlp_rnn.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "predict")
    sys.exit(main())
