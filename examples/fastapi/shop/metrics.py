"""What the service counts: what the library sees of each request, and what it cannot know of Postgres and Redis."""

import time
from contextlib import contextmanager

from fastapi import FastAPI
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_fastapi_instrumentator import Instrumentator
from prometheus_fastapi_instrumentator.metrics import default

#: A threshold of an alert or an SLO must be one of these: between two bounds a histogram knows nothing.
SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)


class Metrics:
    def __init__(self):
        disable_created_metrics()  # a series of each counter and histogram that no rule asks for
        self.queries = Histogram(
            "database_query_duration_seconds", "Time that a query took, with the wait for a connection.",
            ["operation"], buckets=SECONDS)
        self.cache = Counter(
            "cache_requests_total", "Look-ups in Redis: hit, miss, or error.", ["result"])
        self.orders = Counter("shop_orders_total", "Orders that were stored.")
        self.connections = Gauge(
            "database_pool_connections", "Connections to PostgreSQL: idle, or used.", ["state"])
        for result in ("hit", "miss", "error"):
            self.cache.labels(result)  # there at 0, so that a first error counts

    def watch(self, app: FastAPI) -> None:
        """Counts the requests of an application and serves /metrics."""
        Instrumentator(
            # Probes and scrapes are no traffic; counted, they would hide a high share of errors.
            excluded_handlers=["^/metrics$", "^/healthz$", "^/readyz$"],
            should_instrument_requests_inprogress=True,
            inprogress_labels=True,
        ).add(default(latency_lowr_buckets=SECONDS)).instrument(app).expose(
            app, include_in_schema=False)

    @contextmanager
    def query(self, operation: str):
        started = time.perf_counter()
        try:
            yield
        finally:
            self.queries.labels(operation).observe(time.perf_counter() - started)
