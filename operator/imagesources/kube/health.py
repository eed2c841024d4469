"""What the probes are told: whether this process still works, however the platform and the apiserver are."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from imagesources.hubs.hub import HubKey
from imagesources.kube.probes import BEAT, Answer, Page, Pulse, text
from imagesources.kube.watch import Watch
from imagesources.reconcile.ports import Key
from imagesources.reconcile.queue import WorkQueue
from imagesources.settings import Settings

_SCRAPE_SECONDS = 10.0


def _alive() -> Answer:
    return text(HTTPStatus.OK, "ok")


def _not_synced() -> Answer:
    return text(HTTPStatus.SERVICE_UNAVAILABLE, "not synced yet")


STARTING: Final[Mapping[str, Page]] = {"/livez": _alive, "/readyz": _not_synced, "/metrics": _not_synced}
"""What is served until there is something to tell the health of."""


class Health:
    """Keeps what shows life; made in the operator's loop, asked in any thread.

    Attributes:
        synced: whether everything was read; an operator that stands by is ready as well.
        running: what the operator does, which never ends by itself.
        watch: kopf.
    """

    def __init__(self, settings: Settings, queues: tuple[WorkQueue[Key], WorkQueue[HubKey]]) -> None:
        self.synced = False
        self.running: asyncio.Task[None] | None = None
        self.watch: Watch | None = None
        self._settings = settings
        self._queues = queues
        self._longest = 0.0
        self._pulse = Pulse()
        self._loop = asyncio.get_running_loop()

    @property
    def pages(self) -> dict[str, Page]:
        """What is served."""
        return {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}

    async def show_life(self) -> None:
        """Show that the loop turns, for ever."""
        while True:
            self._pulse.show()
            self._longest = max(queue.longest() for queue in self._queues)
            await asyncio.sleep(BEAT)

    def _livez(self) -> Answer:
        trouble = self._trouble()
        return text(HTTPStatus.INTERNAL_SERVER_ERROR, trouble) if trouble else _alive()

    def _trouble(self) -> str:
        limit, watch = self._settings.loop_limit, self.watch
        if self.running and self.running.done():
            return "the operator has ended"
        if self._pulse.age > limit:
            return f"the operator's loop has shown no life for more than {limit:g} s"
        if watch and (not watch.is_alive() or watch.pulse.age > limit):
            return f"the watch has shown no life for more than {limit:g} s"
        if self._longest > self._settings.pass_limit:
            return f"a pass has taken more than {self._settings.pass_limit:g} s"
        return ""

    def _readyz(self) -> Answer:
        return text(HTTPStatus.OK, "ok") if self.synced else _not_synced()

    def _metrics(self) -> Answer:
        """Give the metrics, read in the operator's loop, which changes what they are read from."""
        try:
            asked = asyncio.run_coroutine_threadsafe(_scraped(), self._loop)
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, asked.result(_SCRAPE_SECONDS)
        except TimeoutError:
            return text(HTTPStatus.SERVICE_UNAVAILABLE, "the operator's loop does not answer")


async def _scraped() -> bytes:
    return generate_latest()
