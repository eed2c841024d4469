"""A Lease (coordination.k8s.io/v1): of several operators, one works.

The timing is that of client-go, as fractions of the lease's duration. Whoever holds it counts from *before* a renewal
is sent and stops at two thirds; whoever waits counts the whole duration from *after* it saw the renewal. Both use
clocks that only go forward, so that between the two there is always a third of the duration without anybody at work.
"""

import asyncio
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from random import uniform
from typing import Any, Final
from uuid import uuid4

from imagesources.kube.api import KubernetesApi
from imagesources.reconcile.ports import Conflict, KubernetesError, Vanished
from imagesources.telemetry import log

Json = dict[str, Any]

STOPS_AFTER: Final = 2 / 3
RENEWS_EVERY: Final = 2 / 15
LOOKS_EVERY: Final = 1 / 15
"""Fractions of the duration: the holder's fence, the time between renewals, and between looks of who waits."""

_RELEASE_SECONDS = 2.0


def new_identity() -> str:
    """Name this process: its Pod (or host), and a word of its own, as a container may start again in the same Pod."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid4().hex[:8]}"


class Lease:
    """One candidate for one Lease.

    Args:
        api: the apiserver.
        namespace: where the Lease is.
        name: its name; it is made if it does not exist.
        seconds: its duration.
        identity: how this candidate is called in it.
    """

    def __init__(self, api: KubernetesApi, namespace: str, name: str, seconds: int, identity: str) -> None:
        self._api = api
        self._namespace = namespace
        self.name = name
        self._seconds = seconds
        self._identity = identity
        self._held_until = float("-inf")
        self._seen = ("", 0.0)
        """The newest version of the Lease that was seen, and when it was seen first."""
        self._holder: str | None = None
        self._acquired = ""
        self._renewing: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    @property
    def held(self) -> bool:
        """Whether this process may work."""
        return _clock() < self._held_until

    async def fence(self) -> None:
        """Return while the lease is held, else never: a process that has lost it is about to end."""
        if not self.held:
            await asyncio.Event().wait()

    async def acquire(self) -> None:
        """Wait until the lease is free and take it; it is renewed from then on."""
        while not await self._try():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(uniform(0.8, 1.2) * self._seconds * LOOKS_EVERY)  # noqa: S311 - jitter, not a secret
        log.info("%s holds the lease %s and leads", self._identity, self.name)
        self._renewing = asyncio.create_task(self._renew(), name=f"lease {self.name}")

    async def lost(self) -> None:
        """Wait until a lease that was acquired is lost."""
        if self._renewing:
            await asyncio.wait({self._renewing})

    async def release(self) -> None:
        """Let another take the lease at once; call it when nothing is written any more."""
        await self._end_renewals()
        if not self.held:
            return
        self._held_until = float("-inf")
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._free()
            log.info("%s has released the lease %s", self._identity, self.name)
        except (KubernetesError, TimeoutError) as error:
            log.warning("the lease %s could not be released: %s", self.name, str(error) or "no answer in time")

    async def _end_renewals(self) -> None:
        """A renewal under way comes to its end first: what the lease then is cannot be told otherwise."""
        self._ending.set()
        if self._renewing:
            await asyncio.wait({self._renewing}, timeout=_RELEASE_SECONDS)
            self._renewing.cancel()
            await asyncio.wait({self._renewing})

    async def _free(self) -> None:
        found = await self._read()
        spec = found.get("spec", {})
        if spec.get("holderIdentity") == self._identity:
            free = {**spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
            await self._api.write_lease(self._namespace, found | {"spec": free})

    async def _renew(self) -> None:
        while self.held and not self._ending.is_set():
            pause = min(self._seconds * RENEWS_EVERY, self._held_until - _clock())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)
            if self.held and not self._ending.is_set():
                await self._try()

    async def _try(self) -> bool:
        """Take or renew the lease, if it is free or ours; tells whether that went well."""
        sent = _clock()
        patience = self._seconds / 3
        try:
            async with asyncio.timeout(min(patience, self._held_until - sent) if self.held else patience):
                found = await self._read()
                if not self._may_take(found):
                    self._held_until = float("-inf")
                    return False
                await self._api.write_lease(self._namespace, self._taken(found))
        except Conflict:
            return False
        except (KubernetesError, TimeoutError) as error:
            log.warning("the lease %s could not be taken or renewed: %s", self.name, str(error) or "no answer in time")
            return False
        self._held_until = sent + self._seconds * STOPS_AFTER
        return True

    def _may_take(self, found: Json) -> bool:
        """Tell whether the lease is free, ours, or was not renewed for as long as its holder said."""
        spec = found.get("spec", {})
        version = found["metadata"].get("resourceVersion", "")
        if version != self._seen[0]:
            self._seen = (version, _clock())
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._holder, self._identity):
            log.info("%s holds the lease %s; this operator stands by", holder, self.name)
        self._holder = holder
        lasts = spec.get("leaseDurationSeconds") or self._seconds
        return holder in ("", self._identity) or _clock() > self._seen[1] + lasts

    def _taken(self, found: Json) -> Json:
        """Write the lease as it is when it is ours."""
        spec, now = found.get("spec", {}), _now()
        if spec.get("holderIdentity") != self._identity:
            spec = spec | {"leaseTransitions": spec.get("leaseTransitions", -1) + 1}
            self._acquired = now
        ours = {"holderIdentity": self._identity, "leaseDurationSeconds": self._seconds}
        return found | {"spec": {**spec, **ours, "acquireTime": self._acquired, "renewTime": now}}

    async def _read(self) -> Json:
        try:
            return await self._api.lease(self._namespace, self.name)
        except Vanished:
            return {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self.name, "namespace": self._namespace},
            }


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _now() -> str:
    """The time as a MicroTime, with six digits even where they are zeros."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
