"""Every setting of the operator and its default."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the operator runs. Times are in seconds.

    Attributes:
        namespaces: the namespaces to serve; none means all, with ClusterHubs.
        operator_namespace: where the Secrets of ClusterHubs are.
        allow_hosts: platform hosts beyond the official one, each ``HOST`` or ``HOST:PORT``.
        allow_http: whether plain http is allowed on loopback.
        listen: where ``/livez``, ``/readyz`` and ``/metrics`` are served.
        embedded_database: where the embedded platform keeps its data; empty: there is none.
        embedded_step_seconds: how long the embedded platform takes for each step of a job.
        page_size: sources in one page of a list.
        hub_concurrency: reconciles that run at once for one hub.
        settle_time: how long after the end of an unanswered create the platform is given to show its outcome.
        late_arrival: the longest time that a request may arrive after it was sent ("D" in the design); above the
            deadline of a request and ``settle_time``.
        retry_first: the delay after the first failure; it doubles up to ``retry_most``.
        retry_most: the longest delay between tries of one source or hub.
        recheck: how often a permanent failure is looked at again without a change.
        job_poll_first: the delay before a job is asked for the first time; it doubles up to ``job_poll_most``.
        job_poll_most: the longest delay between two looks at a job.
        job_write_interval: the shortest time between two writes of a running job's progress.
        relist: how often vanished objects are cleaned out of the operator's cache.
        stop_grace: how long a stop waits for reconciles that are under way.
        leader_elect: whether this operator works only while it holds a Lease.
        lease_name: that Lease, in the operator's namespace; empty: named by what is served.
        lease_seconds: its duration: how long after a crash another operator begins.
        shard_selector: labels of the ImageSources to reconcile; empty: all.
        loop_limit: how long an event loop may show no life.
        pass_limit: how long one pass may take; the longest wait that a platform can ask for is an hour.
    """

    namespaces: tuple[str, ...] = ()
    operator_namespace: str = "imagesource-system"
    allow_hosts: tuple[str, ...] = ()
    allow_http: bool = False
    listen: str = "127.0.0.1:8090"
    embedded_database: str = ""
    embedded_step_seconds: float = 0.2
    page_size: int = 100
    hub_concurrency: int = 8
    settle_time: float = 5.0
    late_arrival: float = 90.0
    retry_first: float = 1.0
    retry_most: float = 300.0
    recheck: float = 600.0
    job_poll_first: float = 0.5
    job_poll_most: float = 15.0
    job_write_interval: float = 5.0
    relist: float = 600.0
    stop_grace: float = 10.0
    leader_elect: bool = False
    lease_name: str = ""
    lease_seconds: int = 15
    shard_selector: str = ""
    loop_limit: float = 30.0
    pass_limit: float = 7200.0

    @property
    def lease(self) -> str:
        """Name the Lease: operators that serve the same share one, others must not."""
        selector = f" {self.shard_selector}" if self.shard_selector else ""
        return self.lease_name or _LEASE + _word_for(_joined(self.namespaces) + selector)

    @property
    def hubs_lease(self) -> str:
        """Name the Lease of the shard that writes the status of Hubs, for all shards; the chart makes the same name."""
        return f"{_LEASE}-hubs{_word_for(_joined(self.namespaces))}"

    @property
    def leases(self) -> tuple[str, ...]:
        """Name all Leases that this operator may hold."""
        every = {self.lease: self.leader_elect, self.hubs_lease: bool(self.shard_selector)}
        return tuple(name for name, used in every.items() if used)


_LEASE = "imagesource-operator"


def _joined(namespaces: tuple[str, ...]) -> str:
    return ",".join(sorted(namespaces))


def _word_for(served: str) -> str:
    """Make a word for what is served; none for everything."""
    return f"-{hashlib.sha256(served.encode()).hexdigest()[:8]}" if served else ""
