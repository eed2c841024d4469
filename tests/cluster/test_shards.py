"""Several operators at work, each for the ImageSources of its labels."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.cluster import Kubectl, Writes, new_namespace
from tests.support.platform import Platform
from tests.support.process import OperatorProcess
from tests.support.proxy import Call, Fault, Proxy, apiserver_proxy, behind
from tests.support.scene import QUICK, Scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane
from imagesources.kube.selector import Selector

SELECTORS = ("shard=a", "shard!=a")


@dataclass(frozen=True)
class Shards:
    """Two operators, each with a proxy of its own to the apiserver and to the platform."""

    a: Scene
    rest: Scene

    def apply(self, name: str, shard: str, **spec: Any) -> None:
        """Applies a source with a label."""
        body = source(name, **spec)
        self.a.kubectl.apply(body | {"metadata": {"name": name, "labels": {"shard": shard}}})

    def create(self, name: str, shard: str, **spec: Any) -> None:
        """The same, and waits until it is Ready."""
        self.apply(name, shard, **spec)
        self.a.ready(name)

    @property
    def counts(self) -> dict[str, Any]:
        """What the Hub says of its sources."""
        return dict(self.a.kubectl.get("hub", "default")["status"]["sources"])

    def keeper(self) -> Scene:
        """The operator that writes the status of the Hub."""
        (keeper,) = [each for each in (self.a, self.rest) if _holds_hubs(each)]
        return keeper


def _holds_hubs(stage: Scene) -> bool:
    return "holds the lease imagesource-operator-hubs" in "".join(
        line for line in stage.operator.log.read_text().splitlines() if line.endswith("and leads")
    )


def written(stage: Scene, resource: str = "imagesources") -> set[str]:
    """Names of the objects of a kind that an operator wrote to."""
    assert stage.api
    paths = [call.path.partition("?")[0].split("/") for call in stage.api.calls if call.is_write]
    return {path[path.index(resource) + 1] for path in paths if resource in path}


@pytest.fixture
def shards(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """Both run, in a namespace of the test's own."""
    cluster, folder = control_plane.cluster, tmp_path_factory.mktemp("shards")
    kubectl = Kubectl(cluster, new_namespace(cluster))
    with ExitStack() as stack:
        platform = stack.enter_context(Platform(folder, "--step-seconds=0.02"))
        calls = stack.enter_context(Proxy(platform.url))
        kubectl.apply(*platform.hub(calls.url))
        scenes = []
        for number, selector in enumerate(SELECTORS):
            place = folder / str(number)
            place.mkdir()
            api = stack.enter_context(apiserver_proxy(cluster))
            operator = OperatorProcess(
                behind(api, cluster, place), place, "--namespace", kubectl.namespace,
                "--operator-namespace", kubectl.namespace, f"--allow-host={calls.url.removeprefix('http://')}",
                f"--shard-selector={selector}", "--lease-seconds=10", *QUICK,
            )  # fmt: skip
            stack.callback(operator.close)
            operator.database = ""
            operator.start()
            scenes.append(Scene(kubectl, Writes(cluster, kubectl.namespace), platform, calls, operator, api))
        found = Shards(*scenes)
        wait_for(lambda: any(map(_holds_hubs, scenes)), what="one to look after the Hub")
        yield found


def test_each_has_its_own(shards: Shards) -> None:
    """Each operator writes to its own sources alone, and the Hub counts the sources of both, once."""
    by_hand = shards.a.platform("POST", "/v1/images/sources", {**_by_hand(), "identifier": "by-hand"})["id"]
    shards.create("one", "a")
    shards.create("two", "b")
    shards.a.kubectl.apply(source("three"))
    shards.a.ready("three")
    assert (written(shards.a), written(shards.rest)) == ({"one"}, {"two", "three"})

    def counted() -> bool:
        counts = shards.counts
        assert (counts["pinned"], counts["managed"], counts["failed"]) == (3, 3, 0), counts
        assert (counts["unmanaged"], counts["unmanagedNames"]) == (1, [f"by-hand ({by_hand})"]), counts
        return True

    wait_for(counted, what="the Hub to count")
    assert [bool(written(each, "hubs")) for each in (shards.a, shards.rest)].count(True) == 1
    both = {"a": shards.a, "rest": shards.rest}
    assert [name for name, each in both.items() if written(each, "hubs")] == [
        name for name, each in both.items() if each is shards.keeper()
    ]


def test_another_looks_after_hubs(shards: Shards) -> None:
    """When the operator that looks after the Hubs is gone, the other does, and counts the sources of both."""
    shards.create("one", "a")
    shards.create("two", "b")
    keeper = shards.keeper()
    other = shards.rest if keeper is shards.a else shards.a
    keeper.operator.kill()
    wait_for(lambda: _holds_hubs(other), what="the other to look after the Hubs")
    shards.a.kubectl.patch("hub", "default", {"spec": {"inventoryInterval": "2s"}})
    generation = shards.a.kubectl.get("hub", "default")["metadata"]["generation"]
    wait_for(
        lambda: shards.a.kubectl.get("hub", "default")["status"]["observedGeneration"] == generation,
        what="the Hub's status to be written",
    )
    assert shards.counts["managed"] == 2
    assert shards.counts["unmanaged"] == 0


def test_claims_of_another_shard(shards: Shards) -> None:
    """A source that a resource of one shard has cannot be adopted by one of another."""
    shards.create("one", "a")
    shards.apply("thief", "b", adopt={"id": shards.a.id_of("one")})
    shards.a.reason("thief", "AlreadyClaimed")
    assert len(shards.a.platform.sources()) == 1


def test_handed_over(shards: Shards) -> None:
    """A source whose label changes is looked after by the other operator, is not created again, and may come back."""
    shards.create("moving", "a")
    before = shards.a.id_of("moving")
    for shard, owner in (("b", shards.rest), ("a", shards.a), ("c", shards.rest)):
        assert owner.api
        shards.a.kubectl("label", "imagesource", "moving", f"shard={shard}", "--overwrite")
        seen = len(owner.api.calls)
        shards.a.edit("moving", name=f"Now with {shard}")
        shards.a.ready("moving")
        assert any(call.is_write and "moving" in call.path for call in owner.api.calls[seen:])
        assert shards.a.seen("moving")["name"] == f"Now with {shard}"
    shards.a.delete("moving")
    assert before
    assert shards.a.platform.sources() == []


def test_handed_over_amid_its_create(shards: Shards) -> None:
    """The label changes while the POST is under way: the other operator finds what it made, or removes it."""
    moved: list[Call] = []

    def move(call: Call) -> Fault | None:
        if call.method != "POST" or moved:
            return None
        moved.append(call)
        shards.a.kubectl("label", "imagesource", "torn", "shard=b", "--overwrite")
        return Fault(delay=1.5)

    shards.a.calls.rule = move
    shards.apply("torn", "a")
    wait_for(lambda: moved, what="the POST")
    shards.a.ready("torn")
    inventories = shards.a.calls.count("GET", "?")
    wait_for(lambda: shards.a.calls.count("GET", "?") > inventories + 6, what="the operators to look around")
    (own,) = shards.a.platform.sources()
    assert (own["id"], own["identifier"]) == (shards.a.id_of("torn"), "torn")


def test_selectors_mean_what_they_mean_to_kubectl(shards: Shards) -> None:
    """The operator selects the same objects as the apiserver does."""
    labels = ({}, {"x": ""}, {"x": "1"}, {"x": "2"}, {"y": "1"}, {"x": "1", "y": "2"}, {"example.com/x": "1"})
    kubectl = shards.a.kubectl
    for number, each in enumerate(labels):
        kubectl.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s-{number}", "labels": {**each, "t": "1"}}}
        )
    for text in ("x", "!x", "x=1", "x==1", "x=", "x!=1", "x in (1)", "x in (1, 2)", "x in (1,)", "x notin (1,2)",
                 "x=1,y", " x = 1 , !y ", "example.com/x=1", "! x"):  # fmt: skip
        chosen = kubectl("get", "secrets", f"--selector=t=1,{text}", "--output=name").split()
        mine = [
            f"secret/s-{n}" for n, each in enumerate(labels) if Selector.parse(f"t=1,{text}").fits({**each, "t": "1"})
        ]
        assert mine == chosen, text


def _by_hand() -> dict[str, Any]:
    return {"type": "direct", "origin": {"type": "docker-hub", "details": {"target": "nginx"}}, "name": "By hand"}
