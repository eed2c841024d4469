"""Every metric of the operator: its name, its labels, what it says.

What happens is counted where it happens. What *is* (``SNAPSHOTS``) is read at the moment of a scrape by the collector
in ``kube.scrape``, so that it is never out of date and costs nothing in between.

Every label is one of a closed set of words of ours, or the name of a Hub: never a word of the platform, never an
ImageSource.
"""

import platform
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

_PASSES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds of a pass or a request: from a cached answer to the longest deadline."""
_JOBS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

RECONCILES = Counter(
    "imagesource_reconcile",
    "Passes over ImageSources: the step that was chosen, what came of it, and the reason where it did not go on.",
    ("step", "outcome", "reason"),
)
RECONCILE_SECONDS = Histogram(
    "imagesource_reconcile_duration_seconds", "Duration of a pass.", ("queue",), buckets=_PASSES
)
QUEUE_LATENCY = Histogram(
    "imagesource_queue_latency_seconds",
    "How long something waited in a queue before its pass began.",
    ("queue",),
    buckets=_PASSES,
)
DRIFT_FOUND = Counter("imagesource_drift_found", "Changes by other hands that were noticed.", ("kind",))
DRIFT_CORRECTED = Counter("imagesource_drift_corrected", "Changes by other hands that were undone.", ("kind",))
PLATFORM_CALLS = Counter("imagesource_platform_calls", "Requests to the platform.", ("operation", "code"))
PLATFORM_SECONDS = Histogram(
    "imagesource_platform_call_duration_seconds",
    "Duration of requests to the platform.",
    ("operation",),
    buckets=_PASSES,
)
JOBS_ENDED = Counter("imagesource_jobs_ended", "Jobs of the platform that the operator saw to their end.", ("state",))
JOB_SECONDS = Histogram(
    "imagesource_job_duration_seconds", "From asking for a deletion to the end of its job.", buckets=_JOBS
)
KUBERNETES_WRITES = Counter(
    "imagesource_kubernetes_writes", "Writes to the Kubernetes API.", ("resource", "write", "code")
)
KUBERNETES_SECONDS = Histogram(
    "imagesource_kubernetes_write_duration_seconds",
    "Duration of writes to the Kubernetes API.",
    ("resource",),
    buckets=_PASSES,
)
EVENTS_DROPPED = Counter("imagesource_events_dropped", "Events for people that were given up: too many waited.")
LEADER = Gauge("imagesource_leader", "1: this process does the work. 0: it stands by.")
LOOP_LAG = Histogram(
    "imagesource_event_loop_lag_seconds",
    "How much later than asked for the operator's event loop woke up.",
    buckets=_LAG,
)
BUILD = Gauge("imagesource_build_info", "1, with what runs here as labels.", ("version", "python"))
BUILD.labels(version("imagesource-operator"), platform.python_version()).set(1)

# What begins at 0 is seen to rise to 1.
for _kind in ("content", "access", "gone"):
    DRIFT_FOUND.labels(_kind)
    DRIFT_CORRECTED.labels(_kind)
for _state in ("completed", "error", "expired", "lost"):
    JOBS_ENDED.labels(_state)

COUNTED = (
    RECONCILES, RECONCILE_SECONDS, QUEUE_LATENCY, DRIFT_FOUND, DRIFT_CORRECTED, PLATFORM_CALLS, PLATFORM_SECONDS,
    JOBS_ENDED, JOB_SECONDS, KUBERNETES_WRITES, KUBERNETES_SECONDS, EVENTS_DROPPED, LEADER, LOOP_LAG, BUILD,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A metric that is read at a scrape; ``rises`` makes it a counter."""

    name: str
    says: str
    labels: tuple[str, ...] = ()
    rises: bool = False

    def family(self) -> GaugeMetricFamily | CounterMetricFamily:
        """Begin its samples."""
        kind = CounterMetricFamily if self.rises else GaugeMetricFamily
        return kind(self.name, self.says, labels=self.labels)


QUEUE_DEPTH = Snapshot("imagesource_queue_depth", "What waits for a pass.", ("queue",))
QUEUE_OLDEST = Snapshot("imagesource_queue_oldest_seconds", "How long the oldest of it has waited.", ("queue",))
QUEUE_DELAYED = Snapshot("imagesource_queue_delayed", "What is due later: tries again, looks at jobs.", ("queue",))
ACTIVE = Snapshot("imagesource_reconcile_active", "Passes under way.", ("queue",))
RESOURCES = Snapshot(
    "imagesource_resources", "ImageSources by what each of their conditions says.", ("condition", "status", "reason")
)
TERMINATING = Snapshot("imagesource_resources_terminating", "ImageSources that are being deleted.")
JOBS_RUNNING = Snapshot("imagesource_jobs_running", "Jobs of the platform that the operator waits for.")
HUB_UP = Snapshot("imagesource_hub_up", "1: the hub can be used.", ("hub",))
HUB_STATE = Snapshot("imagesource_hub_state", "1 for the reason of the hub's Ready condition.", ("hub", "reason"))
HUB_SOURCES = Snapshot(
    "imagesource_hub_sources", "Sources of the hub, as the status of the Hub counts them.", ("hub", "state")
)
HUB_INVENTORY_AGE = Snapshot(
    "imagesource_hub_inventory_age_seconds", "Time since the newest complete list of the hub's sources.", ("hub",)
)
HUB_BUDGET = Snapshot("imagesource_hub_budget_left", "Requests that the hub may be sent at once, now.", ("hub",))
HUB_BRAKE = Snapshot("imagesource_hub_brake_engaged", "1: the brake has stopped the writes to the hub.", ("hub",))
HUB_WAITS = Snapshot(
    "imagesource_hub_rate_limit_waits", "Requests that had to wait for the hub's budget.", ("hub",), rises=True
)
HUB_WAITED = Snapshot(
    "imagesource_hub_rate_limit_wait_seconds", "How long requests waited for the hub's budget.", ("hub",), rises=True
)

SNAPSHOTS = (
    QUEUE_DEPTH, QUEUE_OLDEST, QUEUE_DELAYED, ACTIVE, RESOURCES, TERMINATING, JOBS_RUNNING, HUB_UP, HUB_STATE,
    HUB_SOURCES, HUB_INVENTORY_AGE, HUB_BUDGET, HUB_BRAKE, HUB_WAITS, HUB_WAITED,
)  # fmt: skip

LABELS = {
    "queue": "sources or hubs",
    "step": "the step of the engine, such as Create or Rest; none where it did not come to one",
    "outcome": "ok; held: something speaks against going on; failed; conflict: the resource changed meanwhile, and the "
    "pass begins again; aborted: the process stopped, or a defect",
    "reason": "a reason of [conditions](conditions.md), other, or none; of a pass also KubernetesError, Conflict, "
    "Vanished",
    "kind": "content, access, or gone: the source was deleted",
    "operation": "operation id of the platform's API, such as createImageSource",
    "code": "of the platform: ok, a code of its description, not-sent, unanswered, cancelled, other; of Kubernetes: "
    "ok, conflict, gone, failed, cancelled",
    "state": "of a job: completed, error, expired, lost; of a hub's sources: pinned, managed, drifted, failed, "
    "unmanaged, stray (five are counted at most)",
    "resource": "imagesources, hubs, clusterhubs, events",
    "write": "status, metadata or create",
    "condition": "a type of condition; other",
    "status": "True, False or Unknown",
    "hub": "namespace/name of a Hub, name of a ClusterHub",
    "version": "the operator's version",
    "python": "Python's version",
}
"""What each label can be."""
