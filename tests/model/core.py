"""What one operator process knows, as a value: what it remembers of each resource, and its inventory.

Times become differences to now in whole ticks, cut off where nothing depends on them any more; of the inventory's
stamps only one thing counts, whether they are from before a list that is under way, or later. So two histories that
leave the same knowledge are one state.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import NamedTuple

from tests.model.values import Table, freeze, thaw

from imagesources.hubs.hub import HubConnection
from imagesources.hubs.inventory import Inventory, Seen
from imagesources.platform.models import Job, Source
from imagesources.reconcile import observe
from imagesources.reconcile.memory import Memory, kept_of
from imagesources.resources.status import ImageSourceStatus
from imagesources.settings import Settings

TICK = 10.0
"""Seconds by which time goes on, when nothing else is to be done at once."""

SETTINGS = Settings(
    settle_time=0.0, late_arrival=TICK, retry_first=TICK, retry_most=TICK, recheck=TICK,
    job_poll_first=TICK, job_poll_most=TICK, job_write_interval=0.0,
)  # fmt: skip
LATE = 1
"""Ticks after which no request is under way any more (``late_arrival``)."""

NOW = 100_000.0
BEFORE, BEGUN, AFTER = 1000.0, 2000.0, 3000.0
"""Stamps of the inventory: before a list that is under way was begun, just then, and later."""

_LONG_AGO = {"attempted": LATE, "corrections": 60}
"""Ticks after which it no longer matters how long ago something was."""

UNIMPORTANT = {
    "streak",
    "failures",
    "failed_jobs",
    "over_at",
    "job_asked",
    "job_written",
    "answered",
    "sent",
    "outcome",
    "drifted",
}
"""What of a memory decides nothing here: nobody asks for a look, there are no Secrets, progress is always written,
every delay between tries is a tick, jobs are never lost, until when something waits is words alone; and passes in a row
are seen by the explorer, which finds every circle."""


@dataclass
class Clock(asyncio.AbstractEventLoop):
    """A loop that only tells the time: a pass is driven by hand, from reply to reply."""

    now: float = NOW

    def time(self) -> float:
        """The time."""
        return self.now


@contextmanager
def running(clock: Clock) -> Iterator[None]:
    """Let a clock be the running loop; and lost deletes be asked for again after a tick, for fewer states."""
    before = asyncio._get_running_loop(), observe.DELETE_AGAIN_AFTER
    asyncio._set_running_loop(clock)
    observe.DELETE_AGAIN_AFTER = TICK
    try:
        yield
    finally:
        asyncio._set_running_loop(before[0])
        observe.DELETE_AGAIN_AFTER = before[1]


class Recollection(NamedTuple):
    """A ``Memory``: times in ticks before now."""

    attempted: int
    clear: bool
    settled_absences: int
    late_absences: int
    inherited: bool
    unsaved_id: str | None
    kept: int | None
    job: int | None
    job_id: str | None
    asked: tuple[str, ...]
    ask_in: int
    look_due: bool
    corrections: tuple[int, ...]
    unconverged: int
    generation: int


class Core(NamedTuple):
    """What a process knows.

    Attributes:
        memories: by resource.
        entries: id, source, whether it was a direct reply, and whether that came after the list under way was begun.
        gone: ids that are known to be gone, and whether that was heard after the list under way was begun.
        completed: whether there was a complete list.
        listing: whether a list is under way.
    """

    memories: tuple[Recollection | None, ...]
    entries: tuple[tuple[str, int, bool, bool], ...] = ()
    gone: tuple[tuple[str, bool], ...] = ()
    completed: bool = False
    listing: bool = False


CORES: Table[Core] = Table()
_SOURCES: dict[int, Source] = {}


def known_fields() -> set[str]:
    """The fields of a ``Memory`` that are part of a state, or are known not to decide anything."""
    kept = {*Recollection._fields, "absences", "ask_at"} - {"settled_absences", "late_absences", "ask_in"}
    return kept | UNIMPORTANT


def fields_of_memory() -> set[str]:
    """The fields that a ``Memory`` has."""
    return {field.name for field in fields(Memory)}


def _ago(time: float, what: str) -> int:
    return min(round((NOW - time) / TICK), _LONG_AGO[what])


def recollect(memory: Memory) -> Recollection:
    """Write down a memory."""
    late = sum(at >= memory.attempted + SETTINGS.late_arrival for at in memory.absences)
    settled = sum(at >= memory.attempted + SETTINGS.settle_time for at in memory.absences) - late
    return Recollection(
        attempted=_ago(memory.attempted, "attempted"),
        clear=memory.clear,
        settled_absences=min(settled, 2),
        late_absences=min(late, 2),
        inherited=memory.inherited,
        unsaved_id=memory.unsaved_id,
        kept=None if memory.kept is None else freeze(ImageSourceStatus().model_copy(update=memory.kept).to_json()),
        job=freeze(memory.job.model_dump(mode="json")) if memory.job else None,
        job_id=memory.job_id,
        asked=tuple(sorted(source_id for source_id, at in memory.asked.items() if NOW - at < TICK)),
        ask_in=max(0, round((memory.ask_at - NOW) / TICK)),
        look_due=memory.look_due,
        corrections=tuple(_ago(at, "corrections") for at in memory.corrections),
        unconverged=memory.unconverged,
        generation=memory.generation,
    )


def remembered(known: Recollection) -> Memory:
    """Make a memory of it again."""
    attempted = NOW - known.attempted * TICK
    return Memory(
        attempted=attempted,
        clear=known.clear,
        absences=[attempted + SETTINGS.settle_time] * known.settled_absences
        + [attempted + SETTINGS.late_arrival] * known.late_absences,
        inherited=known.inherited,
        unsaved_id=known.unsaved_id,
        kept=None if known.kept is None else kept_of(ImageSourceStatus.model_validate(thaw(known.kept))),
        job=None if known.job is None else Job.model_validate(thaw(known.job)),
        job_id=known.job_id,
        asked=dict.fromkeys(known.asked, NOW),
        ask_at=NOW + known.ask_in * TICK,
        look_due=known.look_due,
        corrections=[NOW - ago * TICK for ago in known.corrections],
        unconverged=known.unconverged,
        generation=known.generation,
    )


def aged(known: Recollection) -> Recollection:
    """A memory one tick later."""
    return known._replace(
        attempted=min(known.attempted + 1, _LONG_AGO["attempted"]),
        ask_in=max(0, known.ask_in - 1),
        asked=(),  # a tick is as long as it counts
        corrections=tuple(min(ago + 1, _LONG_AGO["corrections"]) for ago in known.corrections),
    )


def older(number: int) -> int:
    """What a process knows, one tick later."""
    core = CORES[number]
    memories = tuple(known and aged(known) for known in core.memories)
    return CORES.number(core._replace(memories=memories))


def forgetting(number: int, resource: int) -> int:
    """What a process knows when it has forgotten a resource that is gone."""
    core = CORES[number]
    memories = tuple(None if index == resource else known for index, known in enumerate(core.memories))
    return CORES.number(core._replace(memories=memories))


def load_inventory(core: Core, hub: HubConnection) -> None:
    """Give a connection its inventory."""
    inventory = Inventory(completed=BEFORE if core.completed else None)
    for source_id, text, direct, later in core.entries:
        seen = Seen(_source(text), AFTER if later else BEFORE, direct)
        inventory.entries[source_id] = seen
        inventory.carriers.setdefault(seen.source.identifier, set()).add(source_id)
    inventory.gone = {source_id: AFTER if later else BEFORE for source_id, later in core.gone}
    hub.inventory = inventory


def _source(text: int) -> Source:
    if text not in _SOURCES:
        _SOURCES[text] = Source.model_validate(thaw(text))
    return _SOURCES[text]


def store_inventory(core: Core, hub: HubConnection) -> Core:
    """Write down a connection's inventory."""
    inventory = hub.inventory
    entries = tuple(
        (source_id, freeze(seen.source.model_dump(mode="json")), seen.direct, core.listing and seen.at > BEGUN)
        for source_id, seen in sorted(inventory.entries.items())
    )
    gone = tuple((source_id, core.listing and at > BEGUN) for source_id, at in sorted(inventory.gone.items()))
    return core._replace(entries=entries, gone=gone, completed=inventory.completed is not None)
