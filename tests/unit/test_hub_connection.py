"""What a connection learns from the failures of its calls."""

import asyncio
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
