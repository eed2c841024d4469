"""What a Hub says about itself. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from imagesources.hubs.brake import Note
from imagesources.hubs.directory import Entry
from imagesources.hubs.hub import CAPABILITY_OF, HubConnection
from imagesources.hubs.trouble import Trouble
from imagesources.platform.models import Source, SourceState
from imagesources.reconcile.ports import Happening
from imagesources.resources import MARKER_PREFIX
from imagesources.resources.conditions import Condition, ConditionType, Reason, counted
from imagesources.resources.hub import Capability, Counted, CountedSource, Hub, HubStatus, SourceCounts
from imagesources.resources.imagesource import ImageSource

_NAMED = 5
"""How many unmanaged sources a Hub's status names."""


def describe(
    resource: Hub,
    entry: Entry,
    pinned: Sequence[ImageSource],
    there: Sequence[ImageSource],
    uids: Collection[str],
    now: datetime,
) -> HubStatus:
    """Write the status of a Hub.

    Args:
        resource: the Hub with its status so far.
        entry: its connection, or why there is none.
        pinned: the ImageSources that belong to it.
        there: those of every Hub that leads to the same place.
        uids: those of all ImageSources.
        now: the time of a transition.
    """
    updates: dict[str, Any] = {
        "observed_generation": resource.metadata.generation,
        "conditions": (_ready(resource, entry, len(pinned), now),),
    }
    if connection := entry.connection:
        updates |= {
            "hub_id": connection.pin.hub_id,
            "url": connection.pin.url,
            "capabilities": _capabilities(connection),
            "brake": connection.brake.status(),
        }
        if connection.inventory.completed is not None:
            updates["sources"] = _counts(connection, pinned, there, uids)
    return resource.status.model_copy(update=updates)


def trouble_of_entry(entry: Entry) -> Trouble | None:
    """Tell why a hub cannot be used; None: it can."""
    connection = entry.connection
    if connection is None:
        return entry.trouble or Trouble(Reason.PENDING, "the hub is not connected yet")
    if connection.trouble is None and connection.inventory.completed is None:
        return Trouble(Reason.PENDING, "the hub's sources are being listed for the first time")
    return connection.trouble


def counted_of(note: Note, release: str, zero: datetime) -> Counted:
    """Write what a brake has noted, to the second.

    Args:
        note: what is to be noted.
        release: the Hub's spec.releaseBrake.
        zero: when the loop's clock was zero.
    """

    def moment(at: float) -> datetime:
        return zero + timedelta(seconds=round(at))

    def sources(times: Mapping[str, float]) -> tuple[CountedSource, ...]:
        return tuple(CountedSource(id=name, at=moment(at)) for name, at in times.items())

    return Counted(
        sources=sources(note.touched),
        vanished=sources(note.vanished) or None,
        others=note.others,
        at=moment(note.at),
        release=release,
    )


def note_of(counted: Counted, zero: datetime) -> Note:
    """Read it again, in another process."""

    def moment(at: datetime) -> float:
        return (at - zero).total_seconds()

    def times(sources: Iterable[CountedSource]) -> dict[str, float]:
        return {source.id: moment(source.at) for source in sources}

    return Note(times(counted.sources), times(counted.vanished or ()), counted.others, moment(counted.at))


def _ready(resource: Hub, entry: Entry, pinned: int, now: datetime) -> Condition:
    trouble = trouble_of_entry(entry)
    if trouble is None and entry.connection and entry.connection.brake.message:
        trouble = Trouble(Reason.BRAKED, entry.connection.brake.message + _other_token(resource))
    message = trouble.message if trouble else "the platform answers"
    if resource.metadata.deletion_timestamp and pinned:
        message = f"deletion waits for {counted(pinned, 'ImageSource')} of this hub; {message}"
    status = "False" if trouble else "True"
    old = resource.status.condition(ConditionType.READY)
    return Condition(
        type=ConditionType.READY.value,
        status=status,
        reason=(trouble.reason if trouble else Reason.REACHABLE).value,
        message=message,
        last_transition_time=old.last_transition_time if old and old.status == status else now,
        observed_generation=resource.metadata.generation,
    )


def _other_token(resource: Hub) -> str:
    release = resource.spec.release_brake
    return f"; spec.releaseBrake is {release}, which is not this token" if release else ""


def turn(told: str, status: HubStatus) -> Happening | None:
    """Tell that a hub has got into trouble, into another, or out of it; None: it is as was told, or not known yet.

    Args:
        told: the reason of Ready that was told last; empty: none.
        status: the new status.
    """
    ready = status.condition(ConditionType.READY)
    if ready is None or ready.reason in (told, Reason.PENDING):
        return None
    if ready.status != "True":
        return Happening(ready.reason, "Connect", ready.message, warning=True)
    if told == Reason.BRAKED:
        return Happening(ready.reason, "Connect", "the brake is released; writes go on")
    return Happening(ready.reason, "Connect", "the platform answers again" if told else "the platform answers")


def _capabilities(connection: HubConnection) -> tuple[Capability, ...]:
    """List the capabilities that the operator needs, as far as answers have told."""
    return tuple(_capability(name, connection) for name in sorted(set(CAPABILITY_OF.values())))


def _capability(name: str, connection: HubConnection) -> Capability:
    if name not in connection.capabilities:
        return Capability(name=name, state="unknown")
    operation = connection.capabilities[name]
    if operation is None:
        return Capability(name=name, state="ok")
    remedy = f"give the API key the capability {name}"
    return Capability(name=name, state="refused", operation=operation, remedy=remedy)


def _counts(
    connection: HubConnection, pinned: Sequence[ImageSource], there: Sequence[ImageSource], uids: Collection[str]
) -> SourceCounts:
    """Count the hub's sources as the operator sees them."""
    own = {resource.status.id for resource in pinned}
    claimed = {resource.status.id for resource in there}
    seen = [entry.source for entry in connection.inventory.entries.values()]
    live = [source for source in seen if source.state.current is SourceState.LIVE]
    free = [source for source in live if source.id not in claimed]
    unmanaged = sorted(f"{source.identifier} ({source.id})" for source in free if not _is_marked(source))
    strays = sorted(s.id for s in free if _is_marked(s) and s.identifier.removeprefix(MARKER_PREFIX) not in uids)
    return SourceCounts(
        pinned=len(pinned),
        managed=sum(source.id in own for source in live),
        drifted=sum(resource.status.drift is not None for resource in pinned),
        failed=sum(not _is_ready(resource) for resource in pinned),
        unmanaged=len(unmanaged),
        unmanaged_names=tuple(unmanaged[:_NAMED]),
        strays=tuple(strays[:_NAMED]),
    )


def _is_marked(source: Source) -> bool:
    return source.identifier.startswith(MARKER_PREFIX)


def _is_ready(resource: ImageSource) -> bool:
    ready = resource.status.condition(ConditionType.READY)
    return ready is not None and ready.status == "True"
