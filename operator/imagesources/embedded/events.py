"""What happened in a hub, in the order of its commits: written with each change, read by the notification feeds.

The names of the topics are those of the platform's own clients: ``new``, ``updated``, ``state.changed``, ``error`` and
``error_reset`` after the name of the kind, such as ``image.source.state.changed``.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select

from imagesources.embedded import clock
from imagesources.embedded.schema import events

BATCH: Final = 500
"""Events read at once."""

GAP_TIME: Final = 60.0
"""Seconds for which a position that was passed over is looked at again: its transaction may commit late."""

GAPS: Final = 1000
"""Positions before the newest one that may belong to transactions that run while a reader begins."""

KEPT: Final = 10 * 60 * 1000
"""Milliseconds for which an event is kept: much longer than any reader needs."""


def tell(
    connection: Connection,
    hub_id: str,
    topic: str,
    object_id: str,
    state: str | None = None,
    *,
    previous: str | None = None,
    error: str | None = None,
) -> None:
    """Note what happens to a resource; it is told once the transaction has committed.

    Args:
        connection: within the transaction that makes it happen.
        hub_id: where it happens.
        topic: what happens, such as ``image.source.new``.
        object_id: the resource.
        state: its state then.
        previous: its state before, if that is what changed.
        error: a message, if it failed.
    """
    tell_all(connection, hub_id, topic, {object_id: previous}, state, error=error)


def tell_all(
    connection: Connection,
    hub_id: str,
    topic: str,
    previous: Mapping[str, str | None],
    state: str | None,
    *,
    error: str | None = None,
) -> None:
    """Note the same of several resources, given by id with their state before."""
    same = {"hub_id": hub_id, "topic": topic, "state": state, "error": error, "created": clock.now()}
    rows = [{"object_id": object_id, "state_previous": before, **same} for object_id, before in previous.items()]
    if rows:
        connection.execute(insert(events), rows)


def prune(connection: Connection) -> None:
    """Forget events that everybody who listens has seen long ago."""
    connection.execute(delete(events).where(events.c.created < clock.now() - KEPT))


class Reader:
    """Reads every event that is committed after it began, each once, on either database.

    On PostgreSQL positions are given before the commit, so a smaller one can appear after a greater one. A gap is
    therefore looked at again for a while. What happens to one resource keeps its order, as its row is locked.

    Args:
        gap_time: seconds for which that is done.
    """

    def __init__(self, gap_time: float = GAP_TIME) -> None:
        self._gap_time = gap_time
        self._seen = 0
        self._gaps: dict[int, float] = {}

    def begin(self, connection: Connection) -> None:
        """Pass over what is committed already."""
        self._seen = connection.scalar(select(func.max(events.c.position))) or 0
        there = select(events.c.position).where(events.c.position > self._seen - GAPS)
        self._remember(set(range(max(1, self._seen - GAPS + 1), self._seen + 1)).difference(connection.scalars(there)))

    def read(self, connection: Connection) -> Sequence[RowMapping]:
        """Read what is new; a full batch may be followed by more."""
        query = (
            select(events)
            .where(or_(events.c.position > self._seen, events.c.position.in_(self._open_gaps())))
            .order_by(events.c.position)
            .limit(BATCH)
        )
        return connection.execute(query).mappings().all()

    def passed(self, rows: Sequence[RowMapping]) -> None:
        """Note that these were read."""
        for position in (row["position"] for row in rows):
            self._gaps.pop(position, None)
            self._remember(range(self._seen + 1, position))
            self._seen = max(self._seen, position)

    def _remember(self, positions: set[int] | range) -> None:
        self._gaps |= dict.fromkeys(positions, time.monotonic() + self._gap_time)

    def _open_gaps(self) -> list[int]:
        now = time.monotonic()
        self._gaps = {position: until for position, until in self._gaps.items() if until > now}
        return list(self._gaps)
