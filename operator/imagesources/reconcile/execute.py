"""Stage 4: do one step. The only place where the platform is asked for anything."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, TypeVar

from imagesources.hubs.backoff import growing
from imagesources.hubs.hub import HubConnection
from imagesources.platform.client import PlatformClient
from imagesources.platform.errors import PlatformError, Refused, Unanswered
from imagesources.platform.models import Source, SourceState
from imagesources.reconcile.differences import access_differs, changes
from imagesources.reconcile.failures import judge
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.model import (
    CheckSecrets,
    Create,
    Delete,
    Done,
    FindMarker,
    FinishCreate,
    Intend,
    Look,
    Problem,
    Release,
    RemoveExtra,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Verdict,
    Wanted,
    WatchJob,
)
from imagesources.reconcile.observe import job_failed, managers
from imagesources.reconcile.plan import unconfirmed
from imagesources.reconcile.ports import Conflict, Kubernetes
from imagesources.reconcile.secrets import SecretUnusableError, fill
from imagesources.resources import PIN_ANNOTATION
from imagesources.resources.conditions import Reason
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings
from imagesources.telemetry.metrics import JOB_SECONDS, JOBS_ENDED

_T = TypeVar("_T")

PATIENCE_WITH_JOB = 6
"""How often a job may be unknown: one just announced may answer 404.job for some seconds."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a step may need."""

    resource: ImageSource
    wanted: Wanted
    hub: HubConnection
    kube: Kubernetes
    memory: Memory
    settings: Settings

    @property
    def now(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    async def write(
        self,
        operation: Callable[[PlatformClient], Awaitable[_T]],
        *,
        removes: bool = False,
        sending: Callable[[], None] = lambda: None,
    ) -> _T:
        """Ask the platform to change something, unless the resource was edited before it was its turn to be asked.

        Args:
            operation: what to ask for.
            removes: it cannot be undone: the apiserver is asked about the resource, not the cache.
            sending: called right before it is sent.

        Raises:
            PlatformError: as the client.
            Conflict: the resource was edited; nothing was sent.
            KubernetesError: it cannot be read; nothing was sent.
        """

        async def check() -> None:
            if removes:
                await self.kube.confirm(self.resource)
            now = self.kube.get(self.resource.key)
            if now is None or _what_counts(now) != _what_counts(self.resource):
                raise Conflict("it was edited while a request waited for its turn")
            sending()

        return await self.hub.call(operation, check)

    def learn(self, source: Source) -> Done:
        """Take a reply into the inventory."""
        self.hub.inventory.learn(source, self.now)
        return Done(source=source)

    async def filled(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[str, str]]]:
        """Put the credentials into a body, and tell the versions of their Secrets."""
        full, secrets = await fill(body, self.resource.metadata.namespace, self.kube)
        return full, {name: (secret.uid, secret.resource_version) for name, secret in secrets.items()}


def _what_counts(resource: ImageSource) -> tuple[str, int, str | None]:
    """Tell what a decision was made on: which resource, what it asks for, and which source it has."""
    return resource.metadata.uid, resource.metadata.generation, resource.status.id


async def execute(step: Step, at: Situation) -> Done:
    """Do a step.

    Returns:
        What came of it; a failure of the platform is part of that, never an exception.

    Raises:
        KubernetesError: the Kubernetes API failed.
    """
    try:
        return await _do(step, at)
    except SecretUnusableError as error:
        return Done(failure=Verdict(error.problem))
    except PlatformError as error:
        return await _judged(error, step, at)


async def _judged(error: PlatformError, step: Step, at: Situation) -> Done:
    """Judge a failure. That a source is gone may be said of ours, or of one that its origin names: a look tells.

    A write without an answer may have been applied: what is known of the source is no base for the next one.
    """
    url = at.hub.pin.url
    if isinstance(error, Unanswered) and isinstance(step, Update | UpdateAccess):
        at.memory.look_due = True
    verdict = judge(error, step, url)
    if not (verdict.gone and isinstance(step, FinishCreate | Update | UpdateAccess)):
        return Done(failure=verdict)
    try:
        still_there = await _look(step.id, at)
    except PlatformError as other:
        return Done(failure=judge(other, step, url))
    return Done(failure=judge(error, step, url, of_another=True) if still_there else verdict)


@singledispatch
async def _do(_step: object, _at: Situation) -> Done:
    """Steps that only write to status, or do nothing, have nothing to do here."""
    return Done()


@_do.register
async def _(_step: Intend, at: Situation) -> Done:
    first = PIN_ANNOTATION not in at.resource.metadata.annotations and at.resource.status.hub is None
    await at.kube.intend(at.resource, at.hub.pin)
    at.memory.clear = first
    at.memory.inherited = at.memory.inherited and not first
    return Done()


@_do.register
async def _(step: Create, at: Situation) -> Done:
    body, secrets = await at.filled(step.body)
    memory, was_clear = at.memory, at.memory.clear
    memory.attempt(at.now)
    try:
        source = await at.write(lambda client: client.create_source(body), sending=lambda: memory.attempts_end(at.now))
    except Conflict:
        memory.clear = was_clear
        raise
    except PlatformError as error:
        memory.attempts_end(at.now)
        if not judge(error, step, at.hub.pin.url).unknown:
            memory.clear = was_clear
        raise
    if source.identifier != at.wanted.marker:
        return Done(unconfirmed=source.id, failure=Verdict(unconfirmed(source.id)))
    known = at.hub.inventory.get(source.id)
    if known and known.source.identifier != at.wanted.marker:  # to believe it would be to take what is not ours
        raise Unanswered("createImageSource", "the answer names a source that was there before")
    memory.clear, memory.unsaved_id = was_clear, source.id
    at.learn(source)
    return Done(source=source, secrets=secrets)


@_do.register
async def _(_step: FindMarker, at: Situation) -> Done:
    begun = at.now
    found = await at.hub.with_identifier(at.wanted.marker)
    if not any(source.state.current is SourceState.LIVE for source in found):
        at.memory.absences.append(begun)
    return Done()


@_do.register
async def _(step: SaveId, at: Situation) -> Done:
    """What is taken over is looked at first: a list may be old, and another resource may have been faster."""
    if not step.adopted:
        return Done()
    source = await _look(step.source.id, at)
    if source is None or (source.state, source.identifier) != (step.source.state, step.source.identifier):
        raise Conflict("the source that was to be taken over has changed")
    if not at.wanted.observe_only and _is_managed_by_another(source, at):
        raise Conflict("another resource has taken the source over meanwhile")
    return Done()


@_do.register
async def _(step: FinishCreate, at: Situation) -> Done:
    return at.learn(await at.write(lambda client: client.update_source(step.id, {"identifier": step.identifier})))


@_do.register
async def _(step: Update, at: Situation) -> Done:
    body, secrets = await at.filled(step.changes)
    source = await at.write(lambda client: client.update_source(step.id, body))
    at.learn(source)
    at.memory.corrections += [at.now] if step.drift else []
    kept = changes(at.wanted, source, new_secrets=False).keys() & step.changes.keys()
    at.memory.unconverged = at.memory.unconverged + 1 if kept else 0
    return Done(source=source, secrets=secrets if "origin" in step.changes else None)


@_do.register
async def _(step: UpdateAccess, at: Situation) -> Done:
    source = await at.write(lambda client: client.update_access(step.id, step.access.acl))
    at.memory.corrections += [at.now] if step.drift else []
    at.memory.unconverged = at.memory.unconverged + 1 if access_differs(step.access, source) else 0
    return at.learn(source)


@_do.register
async def _(step: Look, at: Situation) -> Done:
    source = await _look(step.id, at)
    memory = at.memory
    if at.resource.requested_at != memory.answered:
        memory.unconverged = 0  # a person asks: what was given up is tried again
        memory.corrections.clear()
    memory.look_due, memory.answered = False, at.resource.requested_at
    memory.job_asked += 1
    memory.ask_at = at.now + _delay(memory, at.settings)
    if source and not at.wanted.exists and job_failed(at.resource, memory):
        message = "the job that deletes the source failed (see status.job); the deletion is asked for again"
        wait = growing(memory.failed_jobs, at.settings.retry_first, at.settings.retry_most)
        memory.failed_jobs += 1
        return Done(source=source, failure=Verdict(Problem(Reason.JOB_FAILED, message), wait))
    return Done(source=source)


async def _look(source_id: str, at: Situation) -> Source | None:
    """Ask for one source; that it is gone is an answer, not a failure."""
    try:
        source = await at.hub.call(lambda client: client.get_source(source_id))
    except Refused as error:
        if error.code != "404.image.source":
            raise
        at.hub.inventory.forget(source_id, at.now)
        return None
    at.learn(source)
    return source


@_do.register
async def _(_step: CheckSecrets, at: Situation) -> Done:
    await at.filled({"origin": at.wanted.fields["origin"]})
    return Done()


@_do.register
async def _(step: RemoveExtra, at: Situation) -> Done:
    """Only what a look shows to be a second one still; a list may be old, and people may have made use of it."""
    source = await _look(step.id, at)
    if source is None or not _is_extra(source, at):
        return Done(source=source)
    try:
        await at.write(lambda client: client.delete_source(step.id), removes=True)
        at.memory.asked[step.id] = at.now
    except PlatformError:
        await _look(step.id, at)  # it may have been applied
        raise
    await _look(step.id, at)
    return Done(removed=True)


def _is_extra(source: Source, at: Situation) -> bool:
    return source.identifier == at.wanted.marker and not _is_managed_by_another(source, at)


def _is_managed_by_another(source: Source, at: Situation) -> bool:
    return any(other.metadata.uid != at.wanted.uid for other in managers(source.id, at.hub, at.kube))


@_do.register
async def _(step: Delete, at: Situation) -> Done:
    memory = at.memory
    memory.asked.pop(step.id, None)
    try:
        ticket = await at.write(lambda client: client.delete_source(step.id), removes=True)
    except Refused as error:
        if error.code != "404.image.source":
            raise
        at.hub.inventory.forget(step.id, at.now)
        return Done()
    memory.job, memory.job_asked, memory.look_due = None, 0, False
    if ticket.job and not ticket.job.accepted:
        message = "the platform did not accept the job that deletes the source; it is asked for again"
        return Done(ticket=ticket, failure=Verdict(Problem(Reason.NOT_ACCEPTED, message)))
    memory.asked[step.id] = at.now
    memory.ask_at = at.now + at.settings.job_poll_first
    memory.job_id = ticket.job.id if ticket.job else None
    return Done(ticket=ticket)


@_do.register
async def _(step: WatchJob, at: Situation) -> Done:
    memory = at.memory
    memory.job_asked += 1
    memory.ask_at = at.now + _delay(memory, at.settings)
    try:
        job = await at.hub.call(lambda client: client.get_job(step.id))
    except Refused as error:
        unknown = error.code == "404.job"
        if not (unknown or error.status == 403):
            raise
        if not unknown or memory.job_asked >= PATIENCE_WITH_JOB:
            memory.job_id, memory.look_due = None, True
            JOBS_ENDED.labels("lost").inc()
        return Done()
    memory.job = job
    if job.state.ended:
        memory.job_id, memory.look_due = None, True
        JOBS_ENDED.labels(job.state.current).inc()
        if at.resource.status.id in memory.asked:  # else an earlier process asked
            JOB_SECONDS.observe(at.now - memory.asked[at.resource.status.id])
    return Done()


@_do.register
async def _(_step: Release, at: Situation) -> Done:
    await at.kube.release(at.resource)
    return Done()


def _delay(memory: Memory, settings: Settings) -> float:
    """Wait longer from look to look."""
    return growing(memory.job_asked, settings.job_poll_first, settings.job_poll_most)
