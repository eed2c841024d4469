"""The Lease: never two at work, whatever happens to requests, and no gap longer than it says."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.support.clock import in_virtual_time

from imagesources.kube.lease import Lease
from imagesources.reconcile.ports import Conflict, KubernetesError, Vanished

Json = dict[str, Any]
SECONDS = 15


class Leases:
    """The apiserver's side: one Lease with versions, and requests that fail as a test says.

    Attributes:
        stored: the Lease; None: there is none.
        trouble: what becomes of a candidate's requests, by identity.
    """

    def __init__(self) -> None:
        self.stored: Json | None = None
        self.version = 0
        self.trouble: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}

    def candidate(self, name: str) -> Lease:
        """Makes a candidate."""
        api: Any = _Api(self, name)
        return Lease(api, "system", "operator", SECONDS, name)


class _Api:
    def __init__(self, leases: Leases, name: str) -> None:
        self._leases = leases
        self._name = name

    async def lease(self, _namespace: str, _name: str) -> Json:
        await self._pass()
        if self._leases.stored is None:
            raise Vanished
        return self._leases.stored

    async def write_lease(self, _namespace: str, body: Json) -> Json:
        await self._pass()
        stored = self._leases.stored
        if body["metadata"].get("resourceVersion") != (stored["metadata"]["resourceVersion"] if stored else None):
            raise Conflict
        self._leases.version += 1
        self._leases.stored = body | {"metadata": body["metadata"] | {"resourceVersion": str(self._leases.version)}}
        written = self._leases.stored
        await self._pass()  # the answer takes its time too
        return written

    async def _pass(self) -> None:
        await asyncio.sleep(0.05)
        if trouble := self._leases.trouble.get(self._name):
            await trouble()


async def _hang() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise KubernetesError("no")


async def _watch(*candidates: Lease, seconds: float) -> list[tuple[bool, ...]]:
    """Looks ten times a second who works."""
    seen = []
    for _ in range(int(seconds * 10)):
        await asyncio.sleep(0.1)
        seen.append(tuple(candidate.held for candidate in candidates))
    return seen


@pytest.mark.parametrize("trouble", [_hang, _fail])
def test_one_after_the_other(trouble: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A holder whose renewals fail or hang stops well before another begins, which happens within the duration."""

    async def scene() -> None:
        leases = Leases()
        first, second = leases.candidate("first"), leases.candidate("second")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        assert set(await _watch(first, second, seconds=60)) == {(True, False)}
        leases.trouble["first"] = trouble
        seen = await _watch(first, second, seconds=60)
        assert (True, True) not in seen
        gap = seen.count((False, False)) / 10
        assert SECONDS / 3 - 2 * SECONDS / 15 < gap < SECONDS / 2
        assert seen[-1] == (False, True)
        await asyncio.wait_for(first.lost(), 1)
        await waiting
        await second.release()

    in_virtual_time(scene())


def test_release() -> None:
    """A lease that is released is taken at the next look, and its former holder is behind the fence at once."""

    async def scene() -> None:
        leases = Leases()
        first, second = leases.candidate("first"), leases.candidate("second")
        await first.acquire()
        await first.fence()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(20)
        await first.release()
        assert not first.held
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first.fence(), 1000)
        assert waiting.done()
        assert leases.stored
        assert leases.stored["spec"]["leaseTransitions"] == 1
        await second.release()

    in_virtual_time(scene())


@pytest.mark.parametrize("step", range(4))
def test_release_amid_a_renewal(step: int) -> None:
    """A stop hands over at once, wherever a renewal is: before its read, its write, its answer, and after."""

    async def scene() -> None:
        leases = Leases()
        first, second = leases.candidate("first"), leases.candidate("second")
        await first.acquire()
        before = leases.version
        await asyncio.sleep(2.02 + 0.05 * step)
        assert leases.version == before + (step >= 2)
        waiting = asyncio.create_task(second.acquire())
        await first.release()
        await asyncio.wait_for(waiting, 1.5)
        await second.release()

    in_virtual_time(scene())


def test_lost_to_another() -> None:
    """Who sees another's name in the lease stops at once, without waiting for a deadline."""

    async def scene() -> None:
        leases = Leases()
        first = leases.candidate("first")
        await first.acquire()
        assert leases.stored
        leases.version += 1
        spec = leases.stored["spec"] | {"holderIdentity": "somebody"}
        leases.stored = {"metadata": leases.stored["metadata"] | {"resourceVersion": "7"}, "spec": spec}
        await asyncio.wait_for(first.lost(), SECONDS / 5)
        assert not first.held

    in_virtual_time(scene())
