"""What is counted: requests by operation and status code, their durations, jobs by state."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from imagesources.embedded import jobs
from imagesources.embedded.database import Database


class Metrics:
    """The metrics of one platform, in a registry of their own: a process may have several platforms."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "imagesource_embedded_requests",
            "Requests to the embedded platform.",
            ("operation", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "imagesource_embedded_request_seconds",
            "Duration of requests to the embedded platform.",
            ("operation",),
            registry=self._registry,
        )
        self._jobs = Gauge("imagesource_embedded_jobs", "Jobs of all hubs.", ("state",), registry=self._registry)

    def observe(self, operation: str, code: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(operation, code).inc()
        self._seconds.labels(operation).observe(seconds)

    async def exposition(self, database: Database) -> bytes:
        """Write everything in Prometheus' text format; jobs are counted now."""
        for state, count in (await database.read(jobs.count_by_state)).items():
            self._jobs.labels(state).set(count)
        return generate_latest(self._registry)


METRICS: Final = web.AppKey("metrics", Metrics)


@web.middleware
async def count_requests(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Count each request that is answered, under its method and path pattern; what no operation serves, as "other"."""
    started = time.monotonic()
    answer = await handler(request)
    resource = request.match_info.route.resource
    operation = f"{request.method} {resource.canonical}" if resource else "other"
    request.app[METRICS].observe(operation, answer.status, time.monotonic() - started)
    return answer
