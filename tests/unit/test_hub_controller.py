"""Hubs that change, or go, while something is under way for them."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from tests.support.builders import NOW, PIN, hub_connection, hub_resource, image_source, source, source_id
from tests.support.clock import in_virtual_time

from imagesources.hubs.directory import Entry, HubDirectory
from imagesources.hubs.trouble import Trouble
from imagesources.kube.cache import Cache
from imagesources.kube.hub_status import describe, turn
from imagesources.kube.hubs import HubController
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import Happening, KubernetesError, Vanished
from imagesources.resources import HUB_FINALIZER
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.hub import Hub, HubStatus
from imagesources.resources.imagesource import ImageSource
from imagesources.settings import Settings

Json = dict[str, Any]
KEY = ("Hub", "shop", "default")
REJECTED = Trouble(Reason.KEY_REJECTED, "renew it")
UNREACHABLE = Trouble(Reason.PLATFORM_UNREACHABLE, "check the url")
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


@pytest.mark.parametrize(
    ("stored", "troubles", "told"),
    [
        pytest.param(None, [None], [("Reachable", "the platform answers")], id="a new Hub"),
        pytest.param("Reachable", [None], [], id="a restart"),
        pytest.param(
            "Reachable",
            [REJECTED, REJECTED, None, None],
            [("KeyRejected", "renew it"), ("Reachable", "the platform answers again")],
            id="trouble begins and ends",
        ),
        pytest.param(
            "KeyRejected", [REJECTED, UNREACHABLE], [("PlatformUnreachable", "check the url")], id="another trouble"
        ),
    ],
)
def test_told(
    stored: str | None, troubles: list[Trouble | None], told: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """That a Hub gets into trouble, or out of it, is told once: by one Event, and one line of the log."""
    known, events = hub(2), list[Happening]()
    if stored:
        ready = Condition(type="Ready", status="True", reason=stored, last_transition_time=NOW)
        known = known.model_copy(update={"status": HubStatus(conditions=(ready,))})
    made = controller(Api(patched=known), known)
    made.tell = lambda _hub, happening: events.append(happening)

    async def live() -> None:
        made.directory.connect(KEY, known, connection := hub_connection())
        await made._report(KEY, known)  # its sources are not listed yet
        connection.inventory.replace((), 0.0)
        for connection.trouble in troubles:
            await made._report(KEY, known)

    with caplog.at_level(logging.INFO, "imagesources"):
        in_virtual_time(live())
    assert [(each.reason, each.note) for each in events] == told
    assert [each.warning for each in events] == [reason != "Reachable" for reason, _ in told]
    lines = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert lines == [
        ("INFO" if reason == "Reachable" else "WARNING", f"Hub shop/default: {reason}: {note}") for reason, note in told
    ]


@pytest.mark.parametrize(
    ("release", "words"),
    [
        pytest.param(None, "too many", id="no token"),
        pytest.param("another", "too many; spec.releaseBrake is another, which is not this token", id="another token"),
    ],
)
def test_token_of_another_stop(release: str | None, words: str) -> None:
    """A token that releases nothing gets an answer; the one that does ends the stop."""
    resource = hub_resource(releaseBrake=release)
    connection = hub_connection()
    connection.brake.token, connection.brake.message = "token", "too many"
    connection.inventory.replace((), 0.0)
    ready = describe(resource, Entry(resource, connection), (), (), (), NOW).condition(ConditionType.READY)
    assert ready and (ready.reason, ready.message) == ("Braked", words)
    ended = turn("Braked", HubStatus(conditions=(ready.model_copy(update={"status": "True", "reason": "Reachable"}),)))
    assert ended and ended.note == "the brake is released; writes go on"


@pytest.mark.parametrize(("number", "words"), [(1, "1 ImageSource of"), (2, "2 ImageSources of")])
def test_waits_for_sources(number: int, words: str) -> None:
    """A Hub that is being deleted says for how many sources it waits."""
    resource = hub_resource()
    going = resource.metadata.model_copy(update={"deletion_timestamp": NOW})
    resource = resource.model_copy(update={"metadata": going})
    entry = Entry(resource, hub_connection())
    ready = describe(resource, entry, [image_source()] * number, (), (), NOW).condition(ConditionType.READY)
    assert ready and f"deletion waits for {words} this hub" in ready.message


def test_unmanaged_are_named() -> None:
    """An unmanaged source is named by its identifier, which others may have too, and its id."""
    resource, connection, ids = hub_resource(), hub_connection(), (source_id(1), source_id(2))
    connection.inventory.replace([source(id=one, identifier="leak") for one in ids], 0.0)
    status = describe(resource, Entry(resource, connection), (), (), (), NOW)
    assert status.sources and status.sources.unmanaged_names == tuple(f"leak ({one})" for one in ids)
