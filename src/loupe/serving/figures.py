"""What a server counts, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class Figures(Collector):
    """Of one host; requests are told to it, the rest it reads when it is asked."""

    def __init__(self, host):
        self.host = host
        self.registry = CollectorRegistry()
        self.requests = Counter("loupe_requests", "Requests by route and status", ("route", "status"),
                                registry=self.registry)
        self.seconds = Histogram("loupe_request_seconds", "From the request's head to the reply's end", ("route",),
                                 buckets=SECONDS, registry=self.registry)
        self.registry.register(self)

    def tell(self, route: str, status: int, seconds: float) -> None:
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        gauge, count = GaugeMetricFamily, CounterMetricFamily
        waiting = gauge("loupe_waiting", "Questions that wait for a place", labels=("desk",))
        answering = gauge("loupe_answering", "Questions being answered", labels=("desk",))
        ended = count("loupe_questions", "Questions by how they ended", labels=("desk", "end"))
        for name, desk in self.host.desks.items():
            waiting.add_metric((name,), len(desk.waiting))
            answering.add_metric((name,), desk.answering)
            for end in ("answered", "refused", "cancelled", "failed"):
                ended.add_metric((name, end), getattr(desk, end))
        yield from (waiting, answering, ended)
        desk = self.host.desk
        if hasattr(desk, "looks"):
            yield count("loupe_tokens", "Tokens written", value=desk.tokens)
            yield count("loupe_steps", "Passes that wrote a token of each question", value=desk.steps)
            yield count("loupe_pictures_looked_at", "Looks that were computed", value=desk.looked)
        kept = {"pictures": self.host.pictures.kept} | ({"looks": desk.looks} if hasattr(desk, "looks") else {})
        size = gauge("loupe_kept_bytes", "What is kept of uploads and of looks", labels=("what",))
        asked = count("loupe_kept_asked", "How often it was there", labels=("what", "there"))
        for name, each in kept.items():
            size.add_metric((name,), each.weight)
            asked.add_metric((name, "yes"), each.hits)
            asked.add_metric((name, "no"), each.misses)
        yield from (size, asked)
