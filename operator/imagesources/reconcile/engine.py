"""One pass over one source: desired → observe → plan → execute → status, in that order, once.

A pass does at most one step. ``Again`` asks for the next pass at once, so that every step starts from what is stored;
status is written when a chain of steps comes to rest, and in between only where a restart must not lose it (an id).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from imagesources.hubs.backoff import growing
from imagesources.hubs.directory import HubDirectory
from imagesources.hubs.hub import HubConnection, hub_name
from imagesources.hubs.trouble import Trouble
from imagesources.reconcile.counting import count_drift, count_pass, outcome_of
from imagesources.reconcile.desired import desire
from imagesources.reconcile.differences import differences
from imagesources.reconcile.execute import Situation, execute
from imagesources.reconcile.guard import objection, unadoptable, unlisted, unreferable
from imagesources.reconcile.memory import Memory, Outcome, is_wiped, kept_of
from imagesources.reconcile.model import (
    CheckSecrets,
    Create,
    Delete,
    Done,
    ForgetId,
    Problem,
    Record,
    Release,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Wait,
    Wanted,
    WatchJob,
    problem_of,
)
from imagesources.reconcile.observe import doubt, observe, pin_of, recorded
from imagesources.reconcile.plan import DELETING, plan
from imagesources.reconcile.ports import Conflict, Happening, Key, Kubernetes, KubernetesError, Vanished
from imagesources.reconcile.status import Seen, Statement, describe, matters, with_job, with_secrets, with_source
from imagesources.reconcile.telling import announce, fields_of, tell
from imagesources.resources.conditions import ConditionType, Reason
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import ImageSourceStatus
from imagesources.settings import Settings
from imagesources.telemetry import log, tracing


@dataclass(frozen=True, slots=True)
class Next:
    """When the next pass over this source is due: seconds from now; None: when something changes."""

    seconds: float | None = None


AGAIN = Next(0.0)

MOST_IN_A_ROW = 30
"""Passes over one source that may follow each other at once; an honest chain has fewer than ten."""


def utc_now() -> datetime:
    """The time as the Kubernetes API writes it: in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class Engine:
    """Reconciles sources; safe to call for several at once, never for one twice at a time.

    Attributes:
        kube: the Kubernetes API.
        hubs: the platform's hubs.
        settings: delays.
        wall_clock: the time that goes into status.
    """

    kube: Kubernetes
    hubs: HubDirectory
    settings: Settings
    wall_clock: Callable[[], datetime] = utc_now
    memories: dict[str, Memory] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> Next:
        """Make one pass over one source.

        Returns:
            When the next pass is due. Nothing that the platform, the Kubernetes API or a person does wrong is raised.
        """
        resource = self.kube.get(key)
        if resource is None:
            return Next()
        memory = self.remember(resource)
        memory.outcome = Outcome()
        about = {"k8s.namespace.name": resource.metadata.namespace, "imagesource.name": resource.metadata.name}
        with tracing.trace("reconcile", about) as span:
            try:
                return await self._guarded(resource, memory)
            finally:
                count_pass(memory, span)

    async def _guarded(self, resource: ImageSource, memory: Memory) -> Next:
        try:
            return self._paced(await self._pass(resource, memory), resource, memory)
        except Vanished:
            memory.outcome = replace(memory.outcome, result="conflict", reason="Vanished")
            return Next()
        except Conflict:
            memory.outcome = replace(memory.outcome, result="conflict", reason="Conflict")
            return self._paced(AGAIN, resource, memory)
        except KubernetesError as error:
            memory.outcome = replace(memory.outcome, result="failed", reason="KubernetesError")
            log.warning("the Kubernetes API failed: %s", error, extra=fields_of(resource))
            return Next(max(self._backoff(memory), error.retry_after))

    def _paced(self, due: Next, resource: ImageSource, memory: Memory) -> Next:
        """Slow down passes that follow each other without an end: a defect of ours, or two sides that never agree."""
        memory.streak = memory.streak + 1 if due == AGAIN else 0
        if memory.streak < MOST_IN_A_ROW:
            return due
        log.error("%d passes in a row without an end", memory.streak, extra=fields_of(resource))
        return Next(self._backoff(memory))

    def remember(self, resource: ImageSource) -> Memory:
        """Find what this process knows of a resource, or begin with what its status allows."""
        uid = resource.metadata.uid
        if uid not in self.memories:
            self.memories[uid] = self._first_memory(resource)
        self.memories[uid].edited(resource.metadata.generation)
        return self.memories[uid]

    def has_failed(self, uid: str) -> bool:
        """Whether the newest pass over a resource ended in a failure: its next one has a time of its own."""
        return uid in self.memories and self.memories[uid].outcome.result == "failed"

    def forget(self, uid: str) -> None:
        """Drop what is known of a resource that is gone."""
        self.memories.pop(uid, None)

    def _first_memory(self, resource: ImageSource) -> Memory:
        """A POST of who looked after it before may still be under way, unless its id was saved long ago.

        Counted from the first look: an operator may have stood by for long, and a resource may come from another shard.
        """
        status = resource.status
        since = self._created_before(status)
        memory = Memory(
            attempted=asyncio.get_running_loop().time() - since,
            clear=since > self.settings.late_arrival,
            inherited=status.id is None and pin_of(resource) is not None,
        )
        if status.job and status.job.finished is None and resource.metadata.deletion_timestamp:
            memory.job_id = status.job.id
        return memory

    def _created_before(self, status: ImageSourceStatus) -> float:
        """Tell for how many seconds a source has been there, so that no POST can have been sent since; 0: unknown.

        By two clocks, the platform's and the one that wrote the condition, as either may be wrong.
        """
        ready = status.condition(ConditionType.READY)
        if not (status.id and status.created and ready):
            return 0.0
        return max(0.0, (self.wall_clock() - max(status.created, ready.last_transition_time)).total_seconds())

    async def _pass(self, resource: ImageSource, memory: Memory) -> Next:
        if memory.kept and is_wiped(resource.status):
            return await self._put_back(resource, memory.kept, memory)
        memory.kept = kept_of(resource.status)
        namespace = resource.metadata.namespace
        hub = self.hubs.find(namespace, resource.spec.hub_ref)
        allow_ids = isinstance(hub, HubConnection) and hub.spec.allow_source_ids
        wanted = desire(resource, id_of=lambda name: self._id_of((namespace, name), hub), allow_source_ids=allow_ids)
        if isinstance(wanted, Problem):
            return await self._cannot(resource, None, wanted, memory)
        record = recorded(resource, memory)
        if isinstance(hub, Trouble):
            return await self._without_hub(resource, wanted, record, problem_of(hub), memory)
        if record.pin and record.pin.place != hub.pin.place:
            return await self._without_hub(resource, wanted, record, _hub_changed(record, hub), memory)
        if hub.inventory.completed is None:
            return await self._unseen(resource, wanted, record, hub, memory)
        refused = objection(wanted.access, hub.spec) if wanted.exists and not wanted.observe_only else None
        if refused:
            return await self._cannot(resource, wanted, refused, memory)
        at = Situation(resource, wanted, hub, self.kube, memory, self.settings)
        step = self._step(at, record)
        memory.outcome = Outcome(type(step).__name__)
        if isinstance(step, Update | UpdateAccess | Delete | ForgetId):
            await self.hubs.note(hub.key)
        done = await execute(step, at)
        memory.outcome = outcome_of(step, done)
        count_drift(step, done, memory)
        return await self._report(at, record, step, done)

    async def _put_back(self, resource: ImageSource, kept: Mapping[str, Any], memory: Memory) -> Next:
        """Write again what status alone knew of the source."""
        status = resource.status.model_copy(update=kept)
        await self.kube.save_status(resource, status)
        memory.outcome = Outcome("PutBack", "ok")
        note = f"the status was wiped; it says again which source there is: {status.id or status.unconfirmed_id}"
        announce(self.kube, resource, Happening("StatusPutBack", "Reconcile", note, warning=True))
        return AGAIN

    def _step(self, at: Situation, record: Record) -> Step:
        observed = observe(at.resource, at.wanted, record, at.memory, at.hub, self.kube, at.now)
        open_doubt = doubt(
            at.resource, at.memory, at.now, settle=self.settings.settle_time, late=self.settings.late_arrival
        )
        step = plan(at.wanted, record, observed, open_doubt)
        if at.hub.trouble and not isinstance(step, Rest | Release | Wait | CheckSecrets):
            return Wait(problem_of(at.hub.trouble))
        if braked := self._braked(at.hub, step, record, at.now):
            return Wait(braked)
        if isinstance(step, Create) and (refused := self._no_create(at)):
            return Wait(refused)
        if isinstance(step, SaveId) and step.adopted and (refused := unadoptable(at.hub.spec)):
            return Wait(refused)
        return step

    def _no_create(self, at: Situation) -> Problem | None:
        """Tell what in the Hub speaks against a create."""
        if at.hub.brake.message:
            return Problem(Reason.BRAKED, at.hub.brake.message, of_hub=True)
        return unlisted(at.wanted.access, at.hub.spec)

    def _braked(self, hub: HubConnection, step: Step, record: Record, now: float) -> Problem | None:
        """Ask the hub's brake whether one more source may be deleted, rewritten or given up for lost."""
        engaged, brake = hub.brake.token, hub.brake
        match step:
            case ForgetId() if record.id:
                allowed = brake.allows_to_forget(record.id, len(hub.inventory.entries), now)
            case Update(id=source_id, rotation=False) | UpdateAccess(id=source_id) | Delete(id=source_id):
                allowed = brake.allows(source_id, len(hub.inventory.entries.keys() | brake.touched.keys()), now)
            case Update():
                allowed = brake.token is None
            case _:
                return None
        if allowed:
            return None
        if not engaged:
            log.error("%s", brake.message, extra={"hub": hub_name(hub.key)})
            self.hubs.on_change(hub.key, set())
        return Problem(Reason.BRAKED, brake.message or "", of_hub=True)

    async def _report(self, at: Situation, record: Record, step: Step, done: Done) -> Next:
        """Write what came of the step, where it is worth a write, and say when to go on."""
        resource, memory = at.resource, at.memory
        if isinstance(step, Release):
            tell(self.kube, resource, at.wanted, step, done, resource.status)
            return AGAIN if at.wanted.exists else Next()
        if done.secrets is not None:
            memory.sent = done.secrets
        said, due = self._conclusion(at, step, done)
        if said is None:
            tell(self.kube, resource, at.wanted, step, done, resource.status)
            return due
        entry = at.hub.inventory.get(record.id or (done.source.id if done.source else None))
        seen = Seen(at.hub.pin, entry.source if entry else None, gone=record.id in at.hub.inventory.gone)
        status = describe(resource, at.wanted, said, self.wall_clock(), seen)
        status = self._with_facts(status, at, step, done)
        if not matters(resource.status, status):
            pass
        elif (wait := self._too_soon(step, status, resource, memory)) > 0 and not _is_said_now(done, due, wait):
            due = Next(wait if due.seconds is None else min(wait, due.seconds))  # said as soon as it may be
        else:
            await self.kube.save_status(resource, status)
            memory.kept = kept_of(status)
            memory.sent = None
            if isinstance(step, Delete | WatchJob | Wait):
                memory.job_written = at.now
        if isinstance(step, ForgetId) or status.id == memory.unsaved_id:
            memory.unsaved_id = None
        tell(self.kube, resource, at.wanted, step, done, status, said.problem)
        return due

    def _conclusion(self, at: Situation, step: Step, done: Done) -> tuple[Statement | None, Next]:
        """Tell what is to be said, if anything, and when to go on."""
        memory = at.memory
        if done.failure:
            verdict = done.failure
            if verdict.gone:
                return None, AGAIN
            permanent = verdict.problem.permanent
            delay = self.settings.recheck if permanent else verdict.retry_in or self._backoff(memory)
            access = isinstance(step, UpdateAccess)
            return Statement(verdict.problem, access_problem=access), Next(None if verdict.problem.of_hub else delay)
        if not isinstance(step, Wait):
            memory.failures = 0
        match step:
            case Rest() if not at.wanted.exists:
                return None, Next()
            case Rest():
                return Statement(drift=step.drift), Next()
            case Wait(problem=Problem(reason=Reason.SUSPENDED) as problem):
                return Statement(problem, drift=step.drift), Next()
            case Wait(problem=Problem(reason=Reason.OUTCOME_UNKNOWN)) if not at.wanted.exists:
                return Statement(self._awaited(memory, step.seconds or 0.0)), Next(step.seconds)
            case Wait(problem=problem):
                return Statement(problem, drift=step.drift), Next(step.seconds or self.settings.recheck)
            case Create() | SaveId() | ForgetId():
                return Statement(Problem(Reason.CREATING, "the source is being created")), AGAIN
            case Delete() | WatchJob():
                return Statement(DELETING), AGAIN
        if memory.unconverged:
            message = "the platform's reply is not what was written; it is written again"
            problem = Problem(Reason.DRIFT_NOT_CONVERGING, message)
            drift = differences(at.wanted, done.source) if done.source else None
            said = Statement(problem, access_problem=isinstance(step, UpdateAccess), drift=drift)
            return said, Next(self._backoff(memory, memory.unconverged))
        return None, AGAIN

    def _awaited(self, memory: Memory, seconds: float) -> Problem:
        """Say until when a resource that is being deleted stays, in words that are the same each time."""
        if memory.over_at is None:
            memory.over_at = self.wall_clock() + timedelta(seconds=ceil(seconds))
        until = f"waiting until {memory.over_at:%H:%M:%S} UTC"
        message = f"{until}, so that no create that was sent earlier can arrive late; nothing to do"
        return Problem(Reason.OUTCOME_UNKNOWN, message)

    def _with_facts(self, status: ImageSourceStatus, at: Situation, step: Step, done: Done) -> ImageSourceStatus:
        status = with_source(status, step, done)
        if at.memory.sent is not None:
            status = with_secrets(status, at.memory.sent)
        return with_job(status, done, at.memory.job, self.wall_clock())

    def _too_soon(self, step: Step, new: ImageSourceStatus, resource: ImageSource, memory: Memory) -> float:
        """Tell for how many seconds a running job's progress must not be written; its start and end always may."""
        running = new.job is not None and new.job.finished is None and resource.status.job is not None
        if not (isinstance(step, WatchJob | Wait) and running):
            return 0.0
        return memory.job_written + self.settings.job_write_interval - asyncio.get_running_loop().time()

    async def _cannot(self, resource: ImageSource, wanted: Wanted | None, problem: Problem, memory: Memory) -> Next:
        """Say what keeps a resource from being worked on at all."""
        memory.outcome = Outcome(result="held", reason=problem.reason.value)
        status = describe(resource, wanted, Statement(problem), self.wall_clock())
        if matters(resource.status, status):
            await self.kube.save_status(resource, status)
        tell(self.kube, resource, wanted, Wait(problem), Done(), status, problem)
        return Next(self.settings.recheck if problem.permanent else self._backoff(memory))

    async def _without_hub(
        self, resource: ImageSource, wanted: Wanted, record: Record, problem: Problem, memory: Memory
    ) -> Next:
        """Wait for the hub; only what needs none can be done: letting go of a resource that leaves its source."""
        if not wanted.exists and (not record.finalizer or wanted.orphan):
            memory.outcome = Outcome(Release.__name__ if record.finalizer else Rest.__name__, "ok")
            if record.finalizer:
                await self.kube.release(resource)
                tell(self.kube, resource, wanted, Release(), Done(), resource.status)
            return Next()
        if not wanted.exists:
            way_out = "or set spec.deletionPolicy to Orphan to leave the source on the platform"
            problem = replace(problem, message=f"{problem.message}; {way_out}")
        return await self._cannot(resource, wanted, problem, memory)

    async def _unseen(
        self, resource: ImageSource, wanted: Wanted, record: Record, hub: HubConnection, memory: Memory
    ) -> Next:
        """Wait for the hub's first list; a source that was in order stays so until something else is seen."""
        if not hub.trouble or (wanted.exists and record.settled_generation == wanted.generation):
            memory.outcome = Outcome(result="held", reason=Reason.PENDING.value)
            return Next()
        return await self._without_hub(resource, wanted, record, problem_of(hub.trouble), memory)

    def _id_of(self, key: Key, hub: HubConnection | Trouble) -> str | Problem | None:
        """Find the source of another resource, as far as the hub lets an origin name it."""
        other = self.kube.get(key)
        if other is None or other.status.id is None:
            return None
        refused = unreferable(other, hub.spec, hub.pin) if isinstance(hub, HubConnection) else None
        return refused or other.status.id

    def _backoff(self, memory: Memory, failures: int | None = None) -> float:
        """The delay before the next try: it doubles from failure to failure."""
        if failures is None:
            memory.failures += 1
            failures = memory.failures
        return growing(failures - 1, self.settings.retry_first, self.settings.retry_most)


def _is_said_now(done: Done, due: Next, wait: float) -> bool:
    """Tell whether a failure is said although progress may not be written yet: its next try is later than that."""
    return done.failure is not None and due.seconds is not None and due.seconds > wait


def _hub_changed(record: Record, hub: HubConnection) -> Problem:
    assert record.pin is not None  # noqa: S101 - the caller's case
    message = (
        f"the resource belongs to hub {record.pin.hub_id} at {record.pin.url} and now resolves to {hub.pin.hub_id} at "
        f"{hub.pin.url}; set spec.hubRef back, or orphan the source and create another resource"
    )
    return Problem(Reason.HUB_CHANGED, message, permanent=True)
