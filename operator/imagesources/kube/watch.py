"""kopf as the informer: it lists, watches and reconnects; every event is handed to the engine's loop as it is.

The handlers are ``on.event`` (docs/decisions): kopf writes nothing and retries nothing, and so knows of no way to
lose, repeat or annotate anything. It runs in a loop and thread of its own, because on its way out it cancels every
task of its loop.
"""

import asyncio
import itertools
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from random import uniform
from typing import Any, cast

import kopf

from imagesources.kube.credentials import open_session
from imagesources.kube.probes import BEAT, Pulse
from imagesources.resources import CREDENTIALS_LABEL, GROUP, VERSION
from imagesources.resources.hub import ClusterHub, Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings
from imagesources.telemetry import log

Json = dict[str, Any]

OnEvent = Callable[[str, str | None, Json], None]
"""Told of the plural, the type of the event (None: listed) and the object; called in the engine's loop."""

_GIVE_UP_NEVER = 30.0

_IDENTITY: Any = "imagesource-operator"
"""For kopf's peering, which is off; kopf would look for a user's name, and a numeric user of a container has none."""

_SETTLED = 5.0
"""Seconds after which kopf counts as running."""


class _Backoffs:
    """Delays between tries to reach the apiserver: they grow, never end, and are never the same for two operators."""

    def __iter__(self) -> Iterator[float]:
        growing = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0)
        return (uniform(0.7, 1) * delay for delay in itertools.chain(growing, itertools.repeat(_GIVE_UP_NEVER)))  # noqa: S311


class _Logins:
    """Paces logins: kopf asks for another at each 401, at once, and for ever where no credentials are accepted."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._delays: Iterator[float] = iter(())

    async def pace(self) -> None:
        """Wait ever longer before a login that soon follows another."""
        if time.monotonic() - self._last > 2 * _GIVE_UP_NEVER:
            self._delays = iter(_Backoffs())
        else:
            delay = next(self._delays)
            log.warning(
                "the Kubernetes API does not accept the operator's credentials; they are read again in %.0f s", delay
            )
            await asyncio.sleep(delay)
        self._last = time.monotonic()


_ATTEMPT = re.compile(r"Request attempt #(\d+)\S* failed; [\w ;-]+: ([A-Z]+ [^\s?]+)\S*(?: -> (\w+))?")


class _Plainly(logging.Filter):
    """Lets kopf say in one short line that the apiserver does not answer, without the innards of an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record about a failed request."""
        if failed := _ATTEMPT.match(record.getMessage()):
            number, what, why = failed.groups()
            record.msg = "the Kubernetes API does not answer, try %s of %s failed (%s); it is tried again"
            record.args = (number, what, why or "TLS")
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


_PLAINLY = _Plainly()


class Watch(threading.Thread):
    """kopf in a thread.

    Args:
        kubeconfig: how to reach the apiserver; None: as a Pod.
        settings: the namespaces to watch.
        on_event: where events go.
        loop: the engine's loop.
    """

    def __init__(
        self, kubeconfig: str | None, settings: Settings, on_event: OnEvent, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(name="kopf", daemon=True)
        self._kubeconfig = kubeconfig
        self._settings = settings
        self._on_event = on_event
        self._loop = loop
        self._stopped = threading.Event()
        self._cancel: Callable[[], object] = lambda: None
        self._logins = _Logins()
        self.pulse = Pulse()
        """Of kopf's loop; a watch that ends at once, again and again, shows no life."""
        logging.getLogger("kopf._cogs.clients.watching").addFilter(_PLAINLY)

    def run(self) -> None:
        """Watch until told to stop; should kopf end before, begin again."""
        for delay in _Backoffs():
            try:
                with suppress(asyncio.CancelledError):
                    asyncio.run(self._watch())
            except Exception:  # noqa: BLE001 - the edge: without a watch the operator is blind
                log.exception("the watch ended; it begins again in %.0f s", delay)
            if self._stopped.wait(delay):
                break

    def stop(self, seconds: float) -> None:
        """End the watch and wait for its end, but not for ever.

        By cancelling: a kopf that ends by its stop flag while it still reads the API's resources leaves requests
        behind, and waits five seconds for them.
        """
        self._stopped.set()
        with suppress(RuntimeError):  # its loop has ended
            self._cancel()
        self.join(seconds)

    async def _watch(self) -> None:
        everything = cast("asyncio.Task[None]", asyncio.current_task())
        self._cancel = partial(asyncio.get_running_loop().call_soon_threadsafe, everything.cancel)
        if self._stopped.is_set():
            return
        # Begun before kopf, which on its way out cancels every task that was begun after it.
        living = asyncio.create_task(self._live(), name="pulse")
        try:
            await self._run_kopf()
        finally:
            living.cancel()

    async def _live(self) -> None:
        await asyncio.sleep(_SETTLED)
        while True:
            self.pulse.show()
            await asyncio.sleep(BEAT)

    async def _run_kopf(self) -> None:
        namespaces = self._settings.namespaces
        await kopf.operator(
            registry=self._registry(),
            settings=self._kopf_settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            identity=_IDENTITY,
        )

    def _kopf_settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.chunk_size = 500
        settings.watching.label_selectors["secrets"] = f"{CREDENTIALS_LABEL}=true"
        settings.networking.error_backoffs = _Backoffs()
        settings.queueing.idle_timeout = 0.5
        settings.queueing.exit_timeout = 0.5
        return settings

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        for kind in (ImageSource, Hub) if self._settings.namespaces else (ImageSource, Hub, ClusterHub):
            self._listen(registry, GROUP, VERSION, kind.plural)
        self._listen(registry, "", "v1", "secrets")
        if not self._settings.namespaces:
            self._listen(registry, "", "v1", "namespaces")
        self._log_in(registry)
        return registry

    def _listen(self, registry: kopf.OperatorRegistry, group: str, version: str, plural: str) -> None:
        @kopf.on.event(group, version, plural, registry=registry, id=f"{plural}-seen")
        async def seen(event: Any, **_: object) -> None:  # noqa: ANN401 - kopf's RawEvent
            self._loop.call_soon_threadsafe(self._on_event, plural, event["type"], event["object"])

    def _log_in(self, registry: kopf.OperatorRegistry) -> None:
        @kopf.on.login(registry=registry)
        async def log_in(**_: object) -> kopf.AiohttpSession:
            await self._logins.pace()
            return await open_session(self._kubeconfig)
