"""Stage 2: what is known of the platform and of this resource's past. Reads only what is at hand."""

import json
from datetime import datetime

from imagesources.hubs.hub import HubConnection
from imagesources.hubs.inventory import Seen
from imagesources.platform.models import JOB_FAILURES, Source, SourceState
from imagesources.reconcile.memory import Memory
from imagesources.reconcile.model import Doubt, Observed, Record, Wanted
from imagesources.reconcile.ports import Kubernetes
from imagesources.resources import FINALIZER, PIN_ANNOTATION
from imagesources.resources.conditions import ConditionType
from imagesources.resources.imagesource import ImageSource, ManagementPolicy
from imagesources.resources.status import Pin

DELETE_AGAIN_AFTER = 300.0
"""Seconds after which a source that is still there is asked to be deleted again: its job may be lost."""

CORRECTIONS_WITHIN = 600.0
"""Seconds over which corrections of changes by other hands are counted."""


def recorded(resource: ImageSource, memory: Memory) -> Record:
    """Read what the resource itself remembers."""
    status, metadata = resource.status, resource.metadata
    finalizer = FINALIZER in metadata.finalizers
    noted = _noted_pin(resource)
    return Record(
        id=status.id or memory.unsaved_id,
        pin=status.hub or noted,
        intent=finalizer and (noted is not None or status.hub is not None),
        finalizer=finalizer,
        settled_generation=settled_generation(resource),
        adopted=bool(status.adopted),
        saved=status.id is not None,
        unconfirmed=status.unconfirmed_id,
    )


def pin_of(resource: ImageSource) -> Pin | None:
    """Tell the place that a resource belongs to, by its status or by its intent."""
    return resource.status.hub or _noted_pin(resource)


def _noted_pin(resource: ImageSource) -> Pin | None:
    return read_pin(resource.metadata.annotations.get(PIN_ANNOTATION), resource.metadata.uid)


def settled_generation(resource: ImageSource) -> int:
    """Tell at which generation the source was last observed as it is wanted; -1 if it never was.

    Ready alone would forget it with the first trouble, and what others change after that would pass for an edit.
    """
    ready = resource.status.condition(ConditionType.READY)
    at_ready = ready.observed_generation if ready and ready.status == "True" else -1
    return max(resource.status.settled_generation or -1, at_ready)


def write_pin(pin: Pin, uid: str) -> str:
    """Write the annotation: the pin, and the uid of the resource that it was made for (copies do not count)."""
    return json.dumps({"for": uid, **pin.to_json()}, sort_keys=True)


def read_pin(text: str | None, uid: str) -> Pin | None:
    """Read the annotation; None if there is none, or if it was made for another resource."""
    try:
        noted = json.loads(text or "null")
    except ValueError:
        return None
    if not isinstance(noted, dict) or noted.get("for") != uid:
        return None
    return Pin.model_validate({key: str(value) for key, value in noted.items()})


def observe(
    resource: ImageSource, wanted: Wanted, record: Record, memory: Memory, hub: HubConnection, kube: Kubernetes,
    now: float,
) -> Observed:  # fmt: skip
    """Gather what is known of the source on the platform."""
    inventory = hub.inventory
    seen = inventory.get(record.id)
    adoptable = _adoptable(wanted, hub)
    subject = record.id or (adoptable[0].id if adoptable else None)
    return Observed(
        source=seen.source if seen else None,
        direct=bool(seen and seen.direct),
        gone=record.id in inventory.gone or bool(seen and seen.source.state.current == "deleted"),
        carriers=_carriers(resource, wanted, hub, kube, SourceState.LIVE),
        adoptable=adoptable,
        rivals=_rivals(wanted, hub, kube, inherited=memory.inherited),
        claimant=_claimant(resource, subject, hub, kube),
        job_id=memory.job_id,
        job_next_in=memory.ask_at - now,
        look_due=memory.look_due or _poll_due(seen, resource, memory, now),
        job_failed=job_failed(resource, memory),
        dying=_carriers(resource, wanted, hub, kube, SourceState.DELETING),
        new_secrets=_new_secrets(resource, wanted, memory, kube),
        secrets_unknown=any(kube.secret_version(resource.metadata.namespace, name) is None for name in wanted.secrets),
        unconverged=memory.unconverged,
        look_asked=memory.look_due
        or resource.requested_at not in (None, resource.status.last_handled_reconcile_at, memory.answered),
        asked=_asked(memory, now),
        outlived=_outlived(seen, memory),
        corrections=sum(at > now - CORRECTIONS_WITHIN for at in memory.corrections),
    )  # fmt: skip


def _asked(memory: Memory, now: float) -> frozenset[str]:
    return frozenset(source_id for source_id, at in memory.asked.items() if at > now - DELETE_AGAIN_AFTER)


def _poll_due(seen: Seen | None, resource: ImageSource, memory: Memory, now: float) -> bool:
    """Tell whether a source that is being deleted by no job that is known is to be looked at again."""
    if seen is None or memory.job_id or job_failed(resource, memory):
        return False
    goes = seen.source.state.current is SourceState.DELETING or seen.source.id in _asked(memory, now)
    return goes and memory.ask_at <= now


def _outlived(seen: Seen | None, memory: Memory) -> bool:
    ended = memory.job is not None and memory.job.state.current == "completed"
    return ended and seen is not None and seen.source.state.current is SourceState.LIVE


def job_failed(resource: ImageSource, memory: Memory) -> bool:
    """Tell whether the last job that was to delete the source ended without doing so."""
    if memory.job:
        return memory.job.state.failed
    return resource.status.job is not None and resource.status.job.state in JOB_FAILURES


def doubt(resource: ImageSource, memory: Memory, now: float, *, settle: float, late: float) -> Doubt:
    """Tell what this process knows of creates whose outcome is unknown.

    Args:
        resource: the resource; while it is being deleted only looks after the last possible arrival count.
        memory: what is remembered of it.
        now: the loop's time.
        settle: seconds after which an attempt shows, if it was applied.
        late: seconds after which no attempt can arrive any more.
    """
    counted_from = memory.attempted + (late if resource.metadata.deletion_timestamp else settle)
    return Doubt(
        clear=memory.clear,
        settled_in=memory.attempted + settle - now,
        over_in=memory.attempted + late - now,
        absences=sum(at >= counted_from for at in memory.absences),
    )


def _adoptable(wanted: Wanted, hub: HubConnection) -> tuple[Source, ...] | None:
    inventory = hub.inventory
    if wanted.adopt_identifier:
        return inventory.with_identifier(wanted.adopt_identifier)
    if wanted.adopt_id in inventory.gone:
        return ()
    seen = inventory.get(wanted.adopt_id)
    if seen is None:
        return None
    return (seen.source,) if seen.source.state.current is SourceState.LIVE else ()


def _carriers(
    resource: ImageSource, wanted: Wanted, hub: HubConnection, kube: Kubernetes, state: SourceState
) -> tuple[Source, ...]:
    """Find the sources that carry the marker; one that another resource has taken over is not ours any more."""
    found = hub.inventory.with_identifier(wanted.marker, state)
    return tuple(s for s in found if all(r.metadata.uid == resource.metadata.uid for r in managers(s.id, hub, kube)))


def _rivals(wanted: Wanted, hub: HubConnection, kube: Kubernetes, *, inherited: bool) -> tuple[Source, ...]:
    """Find unclaimed sources like the one that would be created.

    Only a *given* identifier makes them alike. Where an intent was found whose outcome nobody remembers, the identifier
    that a source of this resource would have had counts too: its status may have been wiped.
    """
    identifier = wanted.fields.get("identifier") or (wanted.identifier if inherited else None)
    if identifier is None:
        return ()
    alike = hub.inventory.with_identifier(identifier)
    return tuple(s for s in alike if s.type == wanted.type and not managers(s.id, hub, kube))


def managers(source_id: str, hub: HubConnection, kube: Kubernetes) -> list[ImageSource]:
    """Find the resources that claim a source, and may write to it."""
    claimants = (r for r in kube.claimants(source_id) if r.status.hub and r.status.hub.place == hub.pin.place)
    return [resource for resource in claimants if not _only_observes(resource)]


def _claimant(resource: ImageSource, source_id: str | None, hub: HubConnection, kube: Kubernetes) -> str | None:
    """Find another resource that claims the source, with a better right where this one claims it too."""
    if source_id is None or _only_observes(resource):
        return None
    own = resource.status.id == source_id
    for other in managers(source_id, hub, kube):
        is_another = other.metadata.uid != resource.metadata.uid
        if is_another and (not own or _rank(other) < _rank(resource)):
            return f"ImageSource {other.metadata.namespace}/{other.metadata.name}"
    return None


def _rank(resource: ImageSource) -> tuple[bool, bool, datetime, str]:
    """Order claims, the best first: who created the source, who has managed it, who is older.

    A resource that observed a source and then wants to manage it comes after those that manage it, however old it is.
    """
    status, metadata = resource.status, resource.metadata
    return bool(status.adopted), status.managed is None, metadata.creation_timestamp, metadata.uid


def _only_observes(resource: ImageSource) -> bool:
    """Tell whether a resource never writes, and so gets in nobody's way."""
    return resource.spec.management_policy is ManagementPolicy.OBSERVE


def _new_secrets(resource: ImageSource, wanted: Wanted, memory: Memory, kube: Kubernetes) -> frozenset[str]:
    sent = {secret.name: (secret.uid, secret.resource_version) for secret in resource.status.credentials or ()}
    sent |= memory.sent or {}
    known = {name: kube.secret_version(resource.metadata.namespace, name) for name in wanted.secrets}
    return frozenset(name for name, version in known.items() if version not in (None, sent.get(name)))
