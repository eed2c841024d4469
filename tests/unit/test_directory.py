"""Which hub a source belongs to, why it may have none, and what becomes of connections that are replaced."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.builders import PIN, cluster_hub_resource, hub_connection, hub_resource, source
from tests.support.clock import in_virtual_time
from tests.support.documents import SOURCE_ID
from tests.support.scripted import ScriptedClient

from imagesources.hubs.directory import AFTER_DEFECT, Entry, HubDirectory
from imagesources.hubs.hub import HubConnection, HubKey
from imagesources.hubs.trouble import Trouble
from imagesources.platform.errors import NotSent
from imagesources.resources.conditions import Reason
from imagesources.resources.hub import Hub
from imagesources.resources.imagesource import HubRef

OWN, OTHER = ("Hub", "shop", "default"), ("Hub", "shop", "other")
CLUSTER = ("ClusterHub", "", "default")
TROUBLE = Trouble(Reason.CREDENTIALS_MISSING, "create the Secret")
ALL = {"allowedNamespaces": {"names": ["*"]}}
ELSEWHERE = PIN.model_copy(update={"url": "https://elsewhere.example.com"})


def directory(*known: tuple[HubKey, Hub], clusterwide: bool = True) -> HubDirectory:
    """Returns a directory in which these hubs have trouble, which says which of them was found."""
    entries = {key: Entry(resource, trouble=Trouble(TROUBLE.reason, "/".join(key))) for key, resource in known}
    return HubDirectory(clusterwide, lambda _key, _changed: None, entries=entries)


@pytest.mark.parametrize(
    ("ref", "known", "clusterwide", "found"),
    [
        pytest.param(None, [OWN, CLUSTER], True, OWN, id="the namespace's default"),
        pytest.param(None, [CLUSTER], True, CLUSTER, id="the cluster's default"),
        pytest.param(None, [OWN], False, OWN, id="namespaced: the namespace's default"),
        pytest.param(HubRef(name="other"), [OWN, OTHER], True, OTHER, id="by name"),
        pytest.param(HubRef(kind="ClusterHub", name="default"), [OWN, CLUSTER], True, CLUSTER, id="by kind and name"),
        pytest.param(None, [], True, Reason.HUB_NOT_FOUND, id="no default"),
        pytest.param(None, [CLUSTER], False, Reason.HUB_NOT_FOUND, id="namespaced: no default"),
        pytest.param(
            None, [("Hub", "elsewhere", "default")], True, Reason.HUB_NOT_FOUND, id="another namespace's default"
        ),
        pytest.param(HubRef(name="other"), [OWN, CLUSTER], True, Reason.HUB_NOT_FOUND, id="no hub of this name"),
        pytest.param(
            HubRef(kind="ClusterHub", name="default"),
            [OWN, CLUSTER],
            False,
            Reason.CLUSTER_HUB_UNAVAILABLE,
            id="namespaced: a cluster hub",
        ),
    ],
)
def test_find(ref: HubRef | None, known: list[HubKey], clusterwide: bool, found: HubKey | Reason) -> None:
    """A reference leads to one hub, and a missing one to the namespace's default, else the cluster's."""
    hubs = directory(
        *(
            (key, cluster_hub_resource(key[2], **ALL) if key[0] == "ClusterHub" else hub_resource(key[2]))
            for key in known
        ),
        clusterwide=clusterwide,
    ).find("shop", ref)
    assert isinstance(hubs, Trouble)
    assert (hubs.message == "/".join(found)) if isinstance(found, tuple) else (hubs.reason is found)


@pytest.mark.parametrize(
    ("allowed", "labels", "found"),
    [
        pytest.param({}, {}, False, id="nobody by default"),
        pytest.param({"names": ["*"]}, {}, True, id="everybody"),
        pytest.param({"names": ["bank", "shop"]}, {}, True, id="by name"),
        pytest.param({"names": ["bank"]}, {"team": "shop"}, False, id="another name"),
        pytest.param({"selector": {"matchLabels": {"team": "shop"}}}, {"team": "shop", "x": "y"}, True, id="by label"),
        pytest.param({"selector": {"matchLabels": {"team": "shop"}}}, {"team": "bank"}, False, id="another label"),
        pytest.param(
            {"selector": {"matchLabels": {"team": "shop", "x": "y"}}}, {"team": "shop"}, False, id="one of two"
        ),
        pytest.param({"selector": {"matchLabels": {"team": "shop"}}}, None, False, id="labels not known"),
        pytest.param({"names": ["shop"], "selector": {"matchLabels": {"team": "x"}}}, {}, True, id="either"),
    ],
)
def test_allowed_namespaces(allowed: dict[str, Any], labels: dict[str, str] | None, found: bool) -> None:
    """A ClusterHub serves the namespaces that it names or selects, and no other."""
    hubs = directory((CLUSTER, cluster_hub_resource(allowedNamespaces=allowed)))
    if labels is not None:
        hubs.namespace_labels["shop"] = labels
    trouble = hubs.find("shop", None)
    assert isinstance(trouble, Trouble)
    assert trouble.reason is (TROUBLE.reason if found else Reason.HUB_NOT_ALLOWED)


def test_not_connected_yet() -> None:
    """A hub of which nothing is known yet says so."""
    hubs = HubDirectory(clusterwide=True, on_change=lambda _key, _changed: None, entries={OWN: Entry(hub_resource())})
    trouble = hubs.find("shop", None)
    assert isinstance(trouble, Trouble)
    assert "not connected yet" in trouble.message


Told = list[tuple[HubKey, set[str] | None]]


@pytest.fixture
async def told() -> Told:
    """What a directory has told of."""
    return []


@pytest.fixture
async def hubs(told: Told) -> AsyncIterator[HubDirectory]:
    """A directory, closed after the test."""
    made = HubDirectory(clusterwide=True, on_change=lambda key, changed: told.append((key, changed)))
    yield made
    await made.aclose()


async def _closed(connection: HubConnection) -> bool:
    """Tells whether a connection can no longer be used."""
    try:
        await connection.client.get_source(SOURCE_ID)
    except NotSent as error:
        return "closed" in error.message
    return False


async def test_connect(hubs: HubDirectory, told: Told) -> None:
    """A connected hub is found, told of, and its sources are listed from then on."""
    connection = hub_connection()
    hubs.connect(OWN, hub_resource(), connection)
    assert hubs.find("shop", None) is connection
    assert told == [(OWN, None)]
    watcher = hubs.entries[OWN].watcher
    assert watcher is not None
    assert not watcher.done()


def test_lists_outlive_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    """A defect in what a list leads to is told, and the hub's sources are listed again."""
    client: Any = ScriptedClient({"list": [[], [source()]]})
    connection = hub_connection()
    connection.client = client
    told: list[set[str] | None] = []

    def on_change(_key: HubKey, changed: set[str] | None) -> None:
        told.append(changed)
        if len(told) == 2:
            raise RuntimeError("a defect")

    async def listed() -> None:
        hubs = HubDirectory(clusterwide=True, on_change=on_change)
        hubs.connect(OWN, hub_resource(), connection)
        await asyncio.sleep(AFTER_DEFECT + 1)

    in_virtual_time(listed())
    assert connection.inventory.get(SOURCE_ID) is not None
    assert "a defect" in caplog.text


@pytest.mark.parametrize(("pin", "kept"), [(PIN, True), (ELSEWHERE, False)], ids=["same place", "another place"])
async def test_reconnect(hubs: HubDirectory, pin: Any, kept: bool) -> None:
    """A new connection to the same place knows what the old one knew; the old one may finish what it is at."""
    old, new = hub_connection(), hub_connection(pin)
    old.inventory.learn(source(), 0.0)
    hubs.connect(OWN, hub_resource(), old)
    watcher = hubs.entries[OWN].watcher
    hubs.connect(OWN, hub_resource(), new)
    await asyncio.sleep(0)
    assert (new.inventory.get(SOURCE_ID) is not None) is kept
    assert watcher is not None
    assert watcher.cancelled()
    assert hubs.find("shop", None) is new
    assert not await _closed(old)
    await hubs.aclose()
    assert await _closed(old)
    assert await _closed(new)


async def test_disconnect(hubs: HubDirectory, told: Told) -> None:
    """A hub that cannot be used says why, and its sources are told."""
    hubs.connect(OWN, hub_resource(), hub_connection())
    watcher = hubs.entries[OWN].watcher
    hubs.disconnect(OWN, hub_resource(), TROUBLE)
    await asyncio.sleep(0)
    assert hubs.find("shop", None) == TROUBLE
    assert told[-1] == (OWN, None)
    assert watcher is not None
    assert watcher.cancelled()


@pytest.mark.parametrize(("pin", "kept"), [(PIN, True), (ELSEWHERE, False)], ids=["same place", "another place"])
async def test_counts_outlast_trouble(hubs: HubDirectory, pin: Any, kept: bool) -> None:
    """A hub that is away, however often, goes on with what its brake has counted; the list is made anew."""
    spec = {"brake": {"minimum": 1, "percent": 1}}
    old, new = hub_connection(**spec), hub_connection(pin, **spec)
    old.inventory.learn(source(), 0.0)
    assert old.brake.allows("a", 1, 0.0)
    hubs.connect(OWN, hub_resource(), old)
    hubs.disconnect(OWN, hub_resource(), TROUBLE)
    hubs.disconnect(OWN, hub_resource(), TROUBLE)
    hubs.connect(OWN, hub_resource(), new)
    assert new.brake.allows("b", 1, 0.0) is not kept
    assert new.inventory.get(SOURCE_ID) is None


async def test_remove(hubs: HubDirectory, told: Told) -> None:
    """A hub whose resource is gone is forgotten, which may lead its sources to another."""
    hubs.connect(OWN, hub_resource(), hub_connection())
    hubs.remove(OWN)
    trouble = hubs.find("shop", None)
    assert isinstance(trouble, Trouble)
    assert trouble.reason is Reason.HUB_NOT_FOUND
    assert told[-1] == (OWN, None)
    hubs.remove(OWN)
    assert OWN not in hubs.entries
