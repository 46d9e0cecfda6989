"""Output layers of language models: a distribution over the vocabulary, and what it costs.

Each is called in two ways: with ``hidden`` it returns logits over the whole vocabulary, whose
softmax is ``P``; with ``hidden`` and ``targets`` only ``-ln P(target)``, exact but for what
:class:`~nlp_rnn.layers.softmax.sampled.SampledSoftmax` estimates in training.
"""
