"""From text to numbers: tokenizers, vocabularies, prepared data sets and batches."""
