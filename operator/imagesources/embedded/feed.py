"""The notifications of all hubs, read from the database while somebody listens.

Every process that serves the database reads for itself, so it does not matter which one, or whose worker, made a
change.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Final

from sqlalchemy import RowMapping

from imagesources.embedded import events
from imagesources.embedded.database import UNREACHABLE, Database
from imagesources.embedded.retention import forget
from imagesources.platform.models import Json

LOG = logging.getLogger(__name__)

POLL: Final = 0.1
"""Seconds between two looks while somebody listens."""

FORGET: Final = 60.0
"""Seconds between two rounds of forgetting."""

BACKLOG: Final = 10_000
"""Messages that a listener may be behind."""


class End(Enum):
    """Why a listener hears no more."""

    STOPPED = "the platform stops"
    LAGGED = "the listener was too slow"
    WITHDRAWN = "the right to listen was withdrawn"


class Listener:
    """One socket's share of the notifications.

    Attributes:
        hub_id: the hub that it hears of.
        messages: what to send, in order; None is the end.
        end: why it ended.
    """

    def __init__(self, hub_id: str) -> None:
        self.hub_id = hub_id
        self.messages: asyncio.Queue[str | None] = asyncio.Queue()
        self.end: End | None = None

    def push(self, message: str) -> None:
        """Send a message, if the listener keeps up."""
        if self.end is not None:
            return
        if self.messages.qsize() < BACKLOG:
            self.messages.put_nowait(message)
        else:
            self.stop(End.LAGGED)

    def stop(self, why: End) -> None:
        """Send no more, once; what is waiting is sent before, unless the right to hear it was withdrawn."""
        if self.end is None:
            self.end = why
            while why is End.WITHDRAWN and not self.messages.empty():
                self.messages.get_nowait()
            self.messages.put_nowait(None)


class Feed:
    """Hands each event of a hub to those who listen there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = events.Reader()
        self._listeners: set[Listener] = set()
        self._beginning = asyncio.Lock()
        self._stopped = asyncio.Event()

    @asynccontextmanager
    async def listen(self, hub_id: str) -> AsyncIterator[Listener]:
        """Listen from now on: to all that is committed after this returned.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be used.
        """
        listener = Listener(hub_id)
        async with self._beginning:
            if not self._listeners:
                self._reader = events.Reader()
                await self._database.read(self._reader.begin)
            self._listeners.add(listener)
        if self._stopped.is_set():
            listener.stop(End.STOPPED)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def stop(self) -> None:
        """End for everybody."""
        self._stopped.set()
        for listener in self._listeners:
            listener.stop(End.STOPPED)

    async def run(self) -> None:
        """Hand out events until stopped; a database that cannot be used is tried again."""
        clock = asyncio.get_running_loop().time
        forget_at = clock()
        while not self._stopped.is_set():
            try:
                await self._hand_out()
                if clock() >= forget_at:
                    forget_at = clock() + FORGET
                    await self._database.write(forget)
            except UNREACHABLE as error:
                LOG.warning("notifications wait for the database: %s", type(error).__name__)
            except Exception:
                LOG.exception("notifications go on after an error")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), POLL)

    async def _hand_out(self) -> None:
        async with self._beginning:
            full = bool(self._listeners)
            while full:
                rows = await self._database.read(self._reader.read)
                self._reader.passed(rows)
                for row in rows:
                    self._push(row["hub_id"], row)
                full = len(rows) == events.BATCH

    def _push(self, hub_id: str, row: RowMapping) -> None:
        listeners = [listener for listener in self._listeners if listener.hub_id == hub_id]
        if listeners:
            message = json.dumps(_notification(row))
            for listener in listeners:
                listener.push(message)


def _notification(row: RowMapping) -> Json:
    """Write an event as the platform's clients read it; no name is told, as an ACL may hide it."""
    said = {"state": row["state"], "state_previous": row["state_previous"], "error": row["error"]}
    nowhere = ("label", "account_id", "environments", "dns_zones", "containers", "clusters")
    return {
        "topic": row["topic"],
        "object": {"id": row["object_id"]} | {key: value for key, value in said.items() if value is not None},
        "context": {"hub_id": row["hub_id"], **dict.fromkeys(nowhere)},
        "flags": {},
    }
