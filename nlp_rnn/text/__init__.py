"""Text becomes numbers: tokenizers, vocabularies, prepared data sets and batches."""
