"""What is the case at the moment of a scrape: queues, ImageSources by condition, jobs, hubs."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubConnection, HubKey, hub_name
from imagesources.kube.cache import Cache
from imagesources.kube.hub_status import trouble_of_entry
from imagesources.kube.hubs import HubController
from imagesources.reconcile import Engine
from imagesources.reconcile.queue import WorkQueue
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.hub import SourceCounts
from imagesources.resources.imagesource import ImageSource
from imagesources.telemetry import metrics
from imagesources.telemetry.metrics import SNAPSHOTS, Snapshot

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Label values and the value."""

OTHER = "other"
_TYPES = frozenset(ConditionType)
_REASONS = frozenset(Reason)
_NEW = Condition(
    type=ConditionType.READY.value,
    status="Unknown",
    reason=Reason.PENDING.value,
    message="",
    last_transition_time=datetime.min.replace(tzinfo=UTC),
)


@dataclass(slots=True, eq=False)
class Scrape(Collector):
    """Reads the operator's parts, in their loop; one that stands by leaves it to the one that works.

    Attributes:
        serves: tells whether a resource is of this operator's shard.
    """

    queues: tuple[WorkQueue[Any], ...]
    engine: Engine
    cache: Cache
    hubs: HubController
    serves: Callable[[ImageSource], bool] = lambda _resource: True

    def describe(self) -> Iterable[Metric]:
        """Name the metrics without reading anything."""
        return [snapshot.family() for snapshot in SNAPSHOTS]

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        if not all(queue.is_open for queue in self.queues):
            return
        loads = [((queue.name,), queue.load()) for queue in self.queues]
        yield _filled(metrics.QUEUE_DEPTH, [(name, load.waiting) for name, load in loads])
        yield _filled(metrics.QUEUE_OLDEST, [(name, load.oldest) for name, load in loads])
        yield _filled(metrics.QUEUE_DELAYED, [(name, load.delayed) for name, load in loads])
        yield _filled(metrics.ACTIVE, [(name, load.running) for name, load in loads])
        resources = [resource for resource in self.cache.resources.values() if self.serves(resource)]
        yield _filled(metrics.RESOURCES, by_condition(each.status.conditions for each in resources))
        terminating = sum(each.metadata.deletion_timestamp is not None for each in resources)
        yield _filled(metrics.TERMINATING, [((), terminating)])
        running = sum(memory.job_id is not None for memory in self.engine.memories.values())
        yield _filled(metrics.JOBS_RUNNING, [((), running)])
        yield from _hubs(self.hubs.directory)
        counted = {key: hub.status.sources for key, hub in self.hubs.hubs.items()}
        yield _filled(
            metrics.HUB_SOURCES, [s for key, found in counted.items() if found for s in _by_state(key, found)]
        )


def by_condition(all_conditions: Iterable[tuple[Condition, ...]]) -> Samples:
    """Count resources by what each of their conditions says; one that has none yet is Unknown and Pending."""
    said = Counter(
        (condition.type, condition.status, condition.reason)
        for conditions in all_conditions
        for condition in conditions or (_NEW,)
    )
    counts: Counter[tuple[str, ...]] = Counter()
    for (kind, status, reason), number in said.items():  # whoever may write to status could have made up words
        counts[kind if kind in _TYPES else OTHER, status, reason if reason in _REASONS else OTHER] += number
    return counts.items()


def _by_state(key: HubKey, sources: SourceCounts) -> Iterator[tuple[tuple[str, ...], float]]:
    for state in ("pinned", "managed", "drifted", "failed", "unmanaged"):
        yield (hub_name(key), state), getattr(sources, state)
    yield (hub_name(key), "stray"), len(sources.strays)


def _hubs(directory: HubDirectory) -> Iterator[Metric]:
    troubles = {key: trouble_of_entry(entry) for key, entry in directory.entries.items()}
    connected = {key: entry.connection for key, entry in directory.entries.items() if entry.connection}
    reasons = {key: trouble.reason if trouble else Reason.REACHABLE for key, trouble in troubles.items()}
    reasons |= {key: Reason.BRAKED for key, hub in connected.items() if hub.brake.token and not troubles[key]}
    yield _filled(metrics.HUB_UP, [((hub_name(key),), trouble is None) for key, trouble in troubles.items()])
    yield _filled(metrics.HUB_STATE, [((hub_name(key), reason.value), 1) for key, reason in reasons.items()])
    yield from _connections(connected)


def _connections(connected: Mapping[HubKey, HubConnection]) -> Iterator[Metric]:
    now = asyncio.get_running_loop().time()
    hubs = [((hub_name(key),), hub) for key, hub in connected.items()]
    lists = [(name, hub.inventory.completed) for name, hub in hubs]
    yield _filled(metrics.HUB_INVENTORY_AGE, [(name, now - begun) for name, begun in lists if begun is not None])
    yield _filled(metrics.HUB_BUDGET, [(name, hub.budget.left) for name, hub in hubs])
    yield _filled(metrics.HUB_BRAKE, [(name, hub.brake.token is not None) for name, hub in hubs])
    yield _filled(metrics.HUB_WAITS, [(name, hub.budget.waits) for name, hub in hubs])
    yield _filled(metrics.HUB_WAITED, [(name, hub.budget.waited) for name, hub in hubs])


def _filled(snapshot: Snapshot, samples: Samples) -> Metric:
    family = snapshot.family()
    for labels, value in samples:
        family.add_metric(labels, float(value))
    return family
