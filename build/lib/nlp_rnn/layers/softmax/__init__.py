"""Output layers of language models: a distribution over the vocabulary, and the loss of targets.

Each is called in two ways: with ``hidden`` it returns logits over the whole vocabulary, whose
softmax is ``P``; with ``hidden`` and ``targets`` it returns only ``-ln P(target)``. This is exact,
except in training with :class:`~nlp_rnn.layers.softmax.sampled.SampledSoftmax`, which estimates it.
"""
