"""Several hubs: each has its own sources, and none delays another."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.platform import Platform
from tests.support.proxy import HANGING, Proxy
from tests.support.scene import Scene, scene, source

from imagesources.controlplane import ControlPlane

SECOND = "ab" * 12


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Another platform."""
    with Platform(tmp_path_factory.mktemp("second"), "--step-seconds=0.02", hub_id=SECOND) as platform:
        yield platform


@pytest.fixture(scope="module")
def other_calls(second: Platform) -> Iterator[Proxy]:
    """The proxy in front of the second platform."""
    with Proxy(second.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stage(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, second: Platform, other_calls: Proxy
) -> Iterator[Scene]:
    """An operator with two hubs, ``default`` and ``second``, each on a platform of its own."""
    allowed = f"--allow-host=127.0.0.1:{other_calls.port}"
    with scene(control_plane.cluster, tmp_path_factory.mktemp("hubs"), allowed) as found:
        found.kubectl.apply(*second.hub(other_calls.url, "second"))
        found.operator.start()
        yield found
        found.operator.stop()


def test_each_has_its_own(stage: Scene, second: Platform) -> None:
    """Sources of two hubs live on two platforms, and are deleted there."""
    stage.create("here")
    stage.create("there", hubRef={"name": "second"})
    assert [each["name"] for each in stage.platform.sources()] == ["here"]
    assert [each["name"] for each in second.sources()] == ["there"]
    assert stage.status("there")["hub"]["hubId"] == SECOND
    stage.delete("there")
    assert second.sources() == []
    assert len(stage.platform.sources()) == 1


def test_named_across_hubs(stage: Scene) -> None:
    """A source of another hub cannot be named: its id means nothing there, or something else."""
    stage.create("far", hubRef={"name": "second"})
    details = {"target": "a", "existing": {"sourceRef": {"name": "far"}}}
    stage.kubectl.apply(source("near", origin={"type": "docker-hub", "details": details}))
    assert "spec.origin.details.existing.sourceRef" in stage.reason("near", "SourceRefElsewhere").message
    stage.delete("near")
    stage.delete("far")


def test_hub_deleted_too_early(stage: Scene, second: Platform, other_calls: Proxy) -> None:
    """A Hub that is deleted before its sources stays until they are gone, so that they can be changed and deleted."""
    stage.create("last", hubRef={"name": "second"})
    stage.kubectl("delete", "hub", "second", "--wait=false")
    stage.edit("last", name="Still looked after")
    stage.ready("last")
    assert [each["name"] for each in second.sources()] == ["Still looked after"]
    stage.delete("last")
    stage.kubectl("wait", "hub", "second", "--for=delete", "--timeout=20s")
    assert second.sources() == []
    stage.kubectl.apply(*second.hub(other_calls.url, "second"))


@pytest.mark.parametrize("trouble", ["hanging", "away"])
def test_one_in_trouble_delays_no_other(stage: Scene, second: Platform, other_calls: Proxy, trouble: str) -> None:
    """While one hub hangs or is away, with work for it waiting, the other's sources are created as ever."""
    if trouble == "away":
        other_calls.cut()
    else:
        other_calls.rule = lambda _call: HANGING
    waiting = [source(f"{trouble}-{number}", hubRef={"name": "second"}) for number in range(20)]
    stage.kubectl.apply(*waiting)
    stage.kubectl.apply(source(f"quick-{trouble}"))
    stage.ready(f"quick-{trouble}", timeout=3)
    other_calls.rule = None
    if trouble == "away":
        stage.reason(f"{trouble}-0", "PlatformUnreachable")
        stage.reason("second", "PlatformUnreachable", resource="hub")
    else:
        other_calls.cut()  # what hangs is lost, and tried again
    other_calls.mend()
    stage.kubectl("wait", "imagesources", *_names(waiting), "--for=condition=Ready", "--timeout=30s")
    assert len({each["id"] for each in second.sources(name=f"{trouble}-3")}) == 1


def _names(sources: list[dict[str, Any]]) -> list[str]:
    return [each["metadata"]["name"] for each in sources]


def test_hub_of_a_source_changed(stage: Scene, second: Platform) -> None:
    """A source does not move: with another hubRef it is Stalled, and neither platform is asked for anything."""
    source_id = stage.create("mover")["status"]["id"]
    before = len(second.sources())
    with stage.spending("mover") as spent:
        stage.edit("mover", hubRef={"name": "second"}, name="Moved")
        assert "set spec.hubRef back" in stage.reason("mover", "HubChanged").message
    assert stage.condition("mover", "Stalled")
    assert spent.calls == []
    assert len(second.sources()) == before
    assert stage.status("mover")["id"] == source_id
    stage.edit("mover", hubRef=None, name="Back")
    stage.ready("mover")
    assert stage.seen("mover")["name"] == "Back"


def test_platform_away(stage: Scene) -> None:
    """While the platform is away settled sources stay Ready, and an edit says what is wrong, but not at every try."""
    stage.create("settled")
    stage.create("edited")
    stage.platform.stop()
    stage.reason("default", "PlatformUnreachable", resource="hub")
    with stage.spending("edited") as spent:
        stage.edit("edited", name="Later")
        shown = stage.reason("edited", "PlatformUnreachable").message
        assert "the operator keeps trying" in shown
        ready = stage.condition("settled")
        assert ready
        assert ready.status == "True"
        stage.platform.start()
        stage.ready("edited")
    assert len(spent.writes) <= 3
    assert stage.seen("edited")["name"] == "Later"
    stage.reason("default", "Reachable", resource="hub")


def test_cluster_hub_is_not_read_by_a_namespaced_operator(stage: Scene) -> None:
    """An operator for single namespaces says that it has no ClusterHubs."""
    stage.kubectl.apply(source("wide", hubRef={"kind": "ClusterHub", "name": "wide"}))
    assert "name a Hub" in stage.reason("wide", "ClusterHubUnavailable", "Stalled").message
