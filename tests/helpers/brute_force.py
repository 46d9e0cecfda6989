"""The equations of the papers over dictionaries of tuples, one n-gram at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

Symbol = int | str
NGram = tuple[Symbol, ...]
BEGIN, END = "<s>", "</s>"


def sentences(ids: Sequence[int], end: int) -> list[list[Symbol]]:
    """Each with its own ``<s>`` and, where it is complete, ``</s>``."""
    found: list[list[Symbol]] = [[BEGIN]]
    for word in ids:
        if word == end:
            found[-1].append(END)
            found.append([BEGIN])
        else:
            found[-1].append(word)
    return found


def occurrences(ids: Sequence[int], order: int, end: int) -> Counter[NGram]:
    """Of all n-grams up to ``order`` whose last word is predicted."""
    return Counter(
        tuple(sentence[last - n + 1 : last + 1])
        for sentence in sentences(ids, end)
        for last in range(1, len(sentence))
        for n in range(1, min(order, last + 1) + 1)
    )


class Model:
    """``P(w | h)`` for a context ``h`` of symbols, cut to the last ``order - 1``."""

    def __init__(self, ids: Sequence[int], order: int, size: int, end: int) -> None:
        self.order, self.end = order, end
        self.types: list[Symbol] = [END if word == end else word for word in range(1, size)]
        self.c = occurrences(ids, order, end)
        self.p = cache(self._p)

    def _p(self, word: Symbol, h: NGram) -> float:
        raise NotImplementedError

    def total(self, c: Counter[NGram], h: NGram) -> int:
        return sum(c[(*h, word)] for word in self.types)

    def counts_of_counts(self, c: Counter[NGram], order: int, most: int) -> list[int]:
        return [sum(len(g) == order and n == r for g, n in c.items()) for r in range(1, most + 1)]

    def __call__(self, word: Symbol, h: NGram) -> float:
        return self.p(word, h[max(0, len(h) - (self.order - 1)) :])

    def of_text(self, ids: Sequence[int]) -> list[float]:
        return [
            self(sentence[i], tuple(sentence[:i]))
            for sentence in sentences(ids, self.end)
            for i in range(1, len(sentence))
        ]


class AddK(Model):
    k = 0.3

    def _p(self, word: Symbol, h: NGram) -> float:
        whole = len(h) == self.order - 1 or h[:1] == (BEGIN,)
        if not whole:
            return 1 / len(self.types)
        return (self.c[(*h, word)] + self.k) / (self.total(self.c, h) + self.k * len(self.types))


class StupidBackoff(Model):
    def _p(self, word: Symbol, h: NGram) -> float:
        if self.c[(*h, word)]:
            return self.c[(*h, word)] / self.total(self.c, h)
        return 0.4 * (self.p(word, h[1:]) if h else 1 / len(self.types))


class KneserNey(Model):
    modified = False

    def __init__(self, ids: Sequence[int], order: int, size: int, end: int) -> None:
        super().__init__(ids, order, size, end)
        self.adjusted: Counter[NGram] = Counter()
        for g in self.c:
            if len(g) == order or (g[0] == BEGIN):
                self.adjusted[g] = self.c[g]
            else:
                self.adjusted[g] = len({left[0] for left in self.c if left[1:] == g})
        self.discounts = {n: self._discounts(n) for n in range(1, order + 1)}

    def _discounts(self, order: int) -> Callable[[int], float]:
        n1, n2, n3, n4 = self.counts_of_counts(self.adjusted, order, 4)
        one = n1 / (n1 + 2 * n2) if n1 * n2 > 0 else 0.5
        three = [one, one, one]
        if self.modified and n1 * n2 * n3 * n4 > 0:
            computed = [1 - 2 * one * n2 / n1, 2 - 3 * one * n3 / n2, 3 - 4 * one * n4 / n3]
            if min(computed) > 0:
                three = computed
        return lambda count: 0 if count == 0 else three[min(count, 3) - 1]

    def _p(self, word: Symbol, h: NGram) -> float:
        total = self.total(self.adjusted, h)
        lower = self.p(word, h[1:]) if h else 1 / len(self.types)
        if total == 0:
            return lower
        discount = self.discounts[len(h) + 1]
        gamma = sum(discount(self.adjusted[(*h, v)]) for v in self.types) / total
        count = self.adjusted[(*h, word)]
        return max(count - discount(count), 0) / total + gamma * lower


class ModifiedKneserNey(KneserNey):
    modified = True


class Katz(Model):
    k, min_count = 5, 1

    def __init__(self, ids: Sequence[int], order: int, size: int, end: int) -> None:
        super().__init__(ids, order, size, end)
        self.ratios = {n: self._ratios(n) for n in range(1, order + 1)}

    def _ratios(self, order: int) -> Callable[[int], float]:
        n = [0, *self.counts_of_counts(self.c, order, self.k + 1)]
        for k in range(self.k, 1, -1):
            common = (k + 1) * n[k + 1] / n[1] if n[1] else 1.0
            if min(n[1 : k + 2]) > 0 and common != 1:
                d = [
                    ((r + 1) * n[r + 1] / n[r] / r - common) / (1 - common) for r in range(1, k + 1)
                ]
                if min(d) > 0 and max(d) < 1:
                    return lambda r, d=d: d[r - 1] if r <= len(d) else 1.0  # type: ignore[misc]
        return lambda r: (r - 0.5) / r if r <= self.k else 1.0

    def _seen(self, g: NGram) -> bool:
        return self.c[g] >= (self.min_count if len(g) > 2 else 1)

    def _p(self, word: Symbol, h: NGram) -> float:
        def lower(v: Symbol) -> float:
            return self.p(v, h[1:]) if h else 1 / len(self.types)

        d = self.ratios[len(h) + 1]
        seen = [v for v in self.types if self._seen((*h, v))]
        unseen = [v for v in self.types if v not in seen]
        kept = {v: d(self.c[(*h, v)]) * self.c[(*h, v)] for v in seen}
        total: float = self.total(self.c, h)
        if total == 0:
            return lower(word)
        if not unseen:
            total = sum(kept.values())
        elif sum(kept.values()) == total:
            total += 1
        if word in kept:
            return kept[word] / total
        backoff = (1 - sum(kept.values()) / total) / sum(map(lower, unseen))
        return backoff * lower(word)


class KatzWithoutSingles(Katz):
    min_count = 2
