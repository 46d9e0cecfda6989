"""What Prometheus reads of a server."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TEXTS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of a server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "nlp_rnn_requests",
            "Requests answered.",
            ("path", "model", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "nlp_rnn_request_seconds",
            "Seconds from a request to the end of its answer.",
            ("path",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "nlp_rnn_batch_texts",
            "Texts that were predicted together.",
            ("model",),
            buckets=TEXTS,
            registry=self.registry,
        )

    def request(self, path: str, model: str, status: int, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            path: as the documentation writes it, so that there are few.
            model: the name of a model that is served, or nothing.
            status: of the answer.
            seconds: that it took.
        """
        self._requests.labels(path, model, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, model: str, texts: int) -> None:
        """Count a batch."""
        self._batches.labels(model).observe(texts)

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Show a value that is asked for whenever the metrics are read."""
        Gauge(name, help, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """All metrics in Prometheus's format."""
        return generate_latest(self.registry)
