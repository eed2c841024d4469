"""Hubs that change, or go, while something is under way for them."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from tests.support.builders import NOW, PIN, hub_connection, hub_resource, image_source, source_id
from tests.support.clock import in_virtual_time

from imagesources.hubs.directory import HubDirectory
from imagesources.kube.cache import Cache
from imagesources.kube.hubs import HubController
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import KubernetesError, Vanished
from imagesources.resources import HUB_FINALIZER
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings

Json = dict[str, Any]
KEY = ("Hub", "shop", "default")
PLATFORM = {
    "url": "https://api.example.com",
    "hubId": source_id(1),
    "apiKeyFrom": {"secretKeyRef": {"name": "cycle", "key": "apiKey"}},
}


def hub(version: int, uid: str = "uid-of-default", **spec: Any) -> Hub:
    """Returns a state of the Hub."""
    found = hub_resource(**spec)
    metadata = found.metadata.model_copy(update={"resource_version": str(version), "uid": uid})
    return found.model_copy(update={"metadata": metadata})


class Api:
    """An apiserver whose answers a test gives, each with what happens meanwhile."""

    def __init__(
        self,
        *,
        patched: Hub | None = None,
        meanwhile: Callable[[], object] = lambda: None,
        sources: Iterable[ImageSource] = (),
    ) -> None:
        self.patched, self.meanwhile, self.sources = patched, meanwhile, sources
        self.writes: list[Json] = []

    async def list(self, _plural: str, _namespace: str | None) -> AsyncIterator[Json]:
        """See ``KubernetesApi``."""
        for resource in self.sources:
            yield resource.to_json()

    async def patch(self, _plural: str, _namespace: str, _name: str, body: Json, **_more: Any) -> Json:
        """See ``KubernetesApi``."""
        self.meanwhile()
        self.writes.append(body)
        if self.patched is None:
            raise Vanished("404")
        return self.patched.to_json()

    async def read_secret(self, *_about: str) -> None:
        """See ``KubernetesApi``."""
        self.meanwhile()


def controller(api: Api, *known: Hub) -> HubController:
    """Returns a controller that knows a Hub."""
    anything: Any = api
    directory = HubDirectory(clusterwide=False, on_change=lambda *_: None)
    made = HubController(anything, Cache(), directory, Settings(allow_hosts=("api.example.com",)), None)
    for resource in known:
        made.seen(KEY, resource)
    return made


@pytest.mark.parametrize(
    ("known", "seen", "acts"),
    [
        pytest.param(hub(2), hub(3, releaseBrake="now"), True, id="an edit"),
        pytest.param(hub(2), hub(3), False, id="the operator's own write"),
        pytest.param(hub(2), hub(1, releaseBrake="now"), False, id="late news"),
        pytest.param(hub(2), hub(3, "successor"), True, id="a successor of the same name"),
        pytest.param(hub(3, "successor"), hub(2), False, id="late news of its predecessor"),
    ],
)
def test_seen(known: Hub, seen: Hub, acts: bool) -> None:
    """What is new about a Hub is acted on once."""
    made = controller(Api(), known)
    assert made.seen(KEY, seen) is acts
    newest = max(known, seen, key=lambda each: int(each.metadata.resource_version))
    assert made.hubs[KEY] is newest


@pytest.mark.parametrize(
    ("reply", "acts"),
    [
        pytest.param(hub(4, releaseBrake="now"), True, id="somebody has edited it meanwhile"),
        pytest.param(hub(3), False, id="nobody has"),
    ],
)
def test_edit_in_a_reply(reply: Hub, acts: bool) -> None:
    """An edit that the reply to an own write shows first is still acted on when the watch tells of it."""
    made = controller(Api(patched=reply), hub(2))
    in_virtual_time(made._write(KEY, made.hubs[KEY], {"status": {}}, status=True))
    assert made.seen(KEY, hub(3, releaseBrake="now") if acts else reply) is acts


def test_gone_while_it_is_connected() -> None:
    """A Hub that goes while its Secret is read leaves no connection."""
    api = Api()
    made = controller(api, hub(2, platform=PLATFORM, embedded=None))
    api.meanwhile = lambda: made._forget(KEY)
    assert in_virtual_time(made.reconcile(KEY)) == Next()
    assert (made.hubs, made.connected, made.directory.entries) == ({}, {}, {})


@pytest.mark.parametrize("needed", [True, False])
def test_a_hub_is_held_for_what_the_cache_does_not_have(needed: bool) -> None:
    """A Hub that is deleted is let go when the apiserver, and not the cache alone, has no source of it."""
    status = {"hub": PIN.to_json()}
    api = Api(sources=[image_source(status=status)] if needed else [])
    dying = hub(2)
    metadata = dying.metadata.model_copy(update={"deletion_timestamp": NOW, "finalizers": (HUB_FINALIZER,)})
    dying = dying.model_copy(update={"metadata": metadata})
    made = controller(api, dying)

    async def hold() -> None:
        made.directory.connect(KEY, dying, hub_connection())
        await made._hold(KEY, dying)

    in_virtual_time(hold())
    assert [body["metadata"]["finalizers"] for body in api.writes] == ([] if needed else [[]])


def test_no_write_through_a_hub_that_is_gone() -> None:
    """Where the Hub turns out to be gone, what its brake counts cannot be noted, and nothing is rewritten."""
    made = controller(Api(), hub(2))

    async def touch() -> None:
        made.directory.connect(KEY, hub(2), connection := hub_connection())
        assert connection.brake.allows(source_id(1), 10, 0.0)
        await made.note(KEY)

    with pytest.raises(KubernetesError, match="shop/default is gone"):
        in_virtual_time(touch())
