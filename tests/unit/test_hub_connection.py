"""What a connection learns from the failures of its calls."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from tests.support.builders import hub_connection as connection
from tests.support.clock import in_virtual_time
from tests.support.scripted import ScriptedClient

from imagesources.hubs.hub import HubConnection
from imagesources.platform.errors import NotSent, PlatformError, Refused
from imagesources.resources.conditions import Reason


def scripted(**answers: list[Any]) -> HubConnection:
    """Returns a connection to a platform that gives these answers."""
    hub = connection(inventoryInterval="1h")
    client: Any = ScriptedClient(answers)
    hub.client = client
    return hub


async def fail(hub: HubConnection) -> None:
    """Make a call that fails."""
    with pytest.raises(PlatformError):
        await hub.call(lambda client: client.get_source("a" * 24))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotSent("getImageSource", "connection refused"), Reason.PLATFORM_UNREACHABLE),
        (Refused("getImageSource", status=401, code="401.auth-invalid"), Reason.KEY_REJECTED),
        (Refused("getImageSource", status=404, code="404.hub"), Reason.WRONG_HUB),
    ],
)
def test_trouble_is_probed_at_once(error: PlatformError, reason: Reason) -> None:
    """A call that meets trouble of the whole hub has it listed at once, not an hour later; a list ends the trouble."""

    async def meet_trouble() -> float:
        hub = scripted(list=[[], []], get=[error])
        told: list[Any] = []
        over = asyncio.Event()

        def tell(changed: object) -> None:
            told.append(changed)
            if len(told) == 2:
                over.set()

        watching = asyncio.create_task(hub.watch(tell))
        await asyncio.sleep(60.0)
        await fail(hub)
        assert hub.trouble and hub.trouble.reason is reason
        await over.wait()
        watching.cancel()
        assert (told, hub.trouble) == ([None, None], None)
        return asyncio.get_running_loop().time()

    assert in_virtual_time(meet_trouble()) < 100.0


def test_trouble_that_lists_do_not_show_is_probed_ever_later() -> None:
    """Where lists are answered and calls are not, sources are sent on with growing delays, until all was quiet once."""

    async def meet_trouble_again_and_again() -> list[float]:
        hub = scripted(list=[[]] * 50, get=[Refused("getImageSource", status=404, code="404.hub")] * 50)
        loop, tries, over = asyncio.get_running_loop(), [], asyncio.Event()

        async def call() -> None:
            tries.append(loop.time())
            await fail(hub)

        def tell(_changed: object) -> None:
            if hub.trouble is None and not over.is_set():
                calls.append(asyncio.create_task(call()))

        calls: list[asyncio.Task[None]] = []
        watching = asyncio.create_task(hub.watch(tell))
        await asyncio.sleep(1800.0)
        over.set()
        await asyncio.sleep(3 * 3600.0)
        over.clear()
        tell(None)
        await asyncio.sleep(60.0)
        watching.cancel()
        return tries

    tries = in_virtual_time(meet_trouble_again_and_again())
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    before = next(index for index, gap in enumerate(gaps) if gap > 3600.0)
    assert gaps[0] == 0.0
    assert all(2.0**step / 2 <= gap <= 2.0**step for step, gap in enumerate(gaps[1:9]))
    assert all(150.0 <= gap <= 300.0 for gap in gaps[10:before])
    assert gaps[before + 1] == 0.0


def test_retry_after_holds_the_whole_hub() -> None:
    """Nothing is sent to a hub before the time that it asks to wait."""

    async def be_limited() -> float:
        hub = scripted(get=[Refused("getImageSource", status=429, code="429.rate-limiting", retry_after=17.0)])
        await fail(hub)
        await hub.budget.take()
        return asyncio.get_running_loop().time()

    assert in_virtual_time(be_limited()) == pytest.approx(17.0)


def test_missing_capability_is_learned() -> None:
    """What a key may not do is learned from the refusal."""

    async def be_refused() -> dict[str, str | None]:
        refusal = Refused("getImageSource", status=403, code="403.permissions", capability="images-sources-view")
        hub = scripted(get=[refusal])
        await fail(hub)
        return hub.capabilities

    assert in_virtual_time(be_refused()) == {"images-sources-view": "getImageSource"}


def test_leave_is_asked_for_in_order() -> None:
    """A request waits for its turn first, is looked at once more then, and last it is asked whether this one leads."""
    told: list[str] = []

    async def asked() -> list[float]:
        hub = scripted(get=[Refused("getImageSource", status=403, code="403.restricted")])
        client: Any = hub.client
        client.leave = hub.leave
        at: list[float] = []

        async def noted(what: str) -> None:
            told.append(what)
            at.append(asyncio.get_running_loop().time())

        hub._fence = lambda: noted("fence")
        hub.budget.pause(30.0)
        with pytest.raises(Refused):
            await hub.call(lambda client: client.get_source("a" * 24), check=lambda: noted("check"))
        return at

    assert in_virtual_time(asked()) == [30.0, 30.0]
    assert told == ["check", "fence"]
