"""Word vectors: read pretrained ones, plot learned ones, look them up, evaluate and export them.

An embedding layer is a matrix product that need not be computed: a word's one-hot vector times the
matrix is the word's row.

>>> import numpy as np
>>> rng = np.random.default_rng(1)
>>> matrix = rng.normal(size=(5, 3))
>>> one_hot = np.eye(5)[2]
>>> np.array_equal(one_hot @ matrix, matrix[2])
True

For unit vectors, cosine and Euclidean distance rank neighbours the same way, because |x - y|² = 2
(1 - cos(x, y)).

>>> unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
>>> x, y = unit[0], unit[1]
>>> np.isclose(np.sum((x - y) ** 2), 2 * (1 - x @ y)).item()
True

For vectors of other lengths they may differ:

>>> from nlp_rnn.embeddings.vectors import WordVectors
>>> vectors = WordVectors(["hot", "scorching", "tepid"], np.array([[1, 0], [9, 0], [1, 0.5]]))
>>> [vectors.neighbours("hot", n=1, by=by)[0][0] for by in ("cosine", "euclidean", "dot")]
['scorching', 'tepid', 'scorching']

Random directions in d dimensions are nearly orthogonal: their expected cosine is 0, its standard
deviation 1 / sqrt(d). A cosine of 0.3 means little in 10 dimensions and a lot in 300.

>>> def cosines(dimension):
...     x, y = rng.normal(size=(2, 20_000, dimension))
...     return (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
>>> for dimension in (4, 100, 400):
...     drawn = cosines(dimension)
...     print(f"{abs(drawn.mean()):.2f}  {drawn.std():.2f}  {1 / dimension**0.5:.2f}")
0.00  0.50  0.50
0.00  0.10  0.10
0.00  0.05  0.05

Real word vectors share a common direction, so their expected cosine is not 0: over all pairs of a
vocabulary it is the squared length of the mean unit vector.

>>> shifted = rng.normal(size=(500, 100)) + 0.5
>>> unit = shifted / np.linalg.norm(shifted, axis=1, keepdims=True)
>>> np.isclose((unit @ unit.T).mean(), np.sum(unit.mean(axis=0) ** 2)).item()
True
>>> bool((unit @ unit.T).mean() > 0.15)
True
"""
