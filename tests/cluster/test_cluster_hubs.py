"""ClusterHubs: which namespaces may use one, by name and by label."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster import Kubectl, Writes, install_crds, new_namespace, run_kubectl
from tests.support.platform import Platform
from tests.support.process import OperatorProcess
from tests.support.proxy import Proxy
from tests.support.scene import QUICK, Scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane, find_programs
from imagesources.resources import HUB_FINALIZER

Json = dict[str, Any]


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A cluster of its own, as an operator for all namespaces would meddle with the other tests'."""
    assert control_plane.cluster
    folder = tmp_path_factory.mktemp("cluster-hubs")
    with ControlPlane(find_programs(print)) as running, Platform(folder, "--step-seconds=0.02") as platform:
        cluster = running.cluster
        install_crds(cluster)
        home, tenant = new_namespace(cluster), new_namespace(cluster)
        key, hub = platform.hub(name="shared", allowedNamespaces={})
        Kubectl(cluster, home).apply(key, hub | {"kind": "ClusterHub"})
        flags = (f"--operator-namespace={home}", f"--allow-host={platform.url.removeprefix('http://')}", *QUICK)
        with OperatorProcess(cluster, folder, *flags) as operator, Proxy(platform.url) as calls:
            operator.start()
            yield Scene(Kubectl(cluster, tenant), Writes(cluster, tenant), platform, calls, operator)
            operator.stop()


def allow(stage: Scene, **allowed: Any) -> None:
    """Sets who may use the ClusterHub."""
    change = [{"op": "replace", "path": "/spec/allowedNamespaces", "value": allowed}]
    stage.kubectl("patch", "clusterhub", "shared", "--type=json", f"--patch={json.dumps(change)}")


def shared(name: str, /, **spec: Any) -> Json:
    """A source of the ClusterHub."""
    return source(name, hubRef={"kind": "ClusterHub", "name": "shared"}, **spec)


def test_nobody_by_default(stage: Scene) -> None:
    """A ClusterHub lets no namespace in until its owner says so, and then it is used at once."""
    stage.reason("shared", "Reachable", resource="clusterhub")
    everywhere = Kubectl(stage.kubectl.cluster, "default")
    wait_for(
        lambda: (
            [
                each["regarding"]["name"]
                for each in everywhere.list("events.events.k8s.io")
                if each["regarding"]["kind"] == "ClusterHub" and each["reason"] == "Reachable"
            ]
            == ["shared"]
        ),
        what="the Event of the ClusterHub",
    )
    stage.kubectl.apply(shared("by-name"))
    assert "does not list namespace" in stage.reason("by-name", "HubNotAllowed").message
    allow(stage, names=["somebody-else"])
    stage.kubectl.apply(shared("by-name", name="Still not"))
    stage.reason("by-name", "HubNotAllowed")
    assert stage.platform.sources() == []
    allow(stage, names=["somebody-else", stage.kubectl.namespace])
    stage.ready("by-name", timeout=5)
    assert stage.status("by-name")["hub"]["kind"] == "ClusterHub"


def test_by_label(stage: Scene) -> None:
    """A label of the namespace lets it in, as soon as it has it; a restart of the operator writes nothing."""
    allow(stage, selector={"matchLabels": {"team": "shop", "tier": "one"}})
    stage.kubectl.apply(shared("by-label"))
    stage.reason("by-label", "HubNotAllowed")
    run_kubectl(stage.kubectl.cluster, "label", "namespace", stage.kubectl.namespace, "team=shop")
    stage.kubectl.apply(shared("by-label", name="Still not"))
    stage.reason("by-label", "HubNotAllowed")
    run_kubectl(stage.kubectl.cluster, "label", "namespace", stage.kubectl.namespace, "tier=one")
    stage.ready("by-label", timeout=5)
    before = stage.writes()
    stage.operator.kill()
    stage.operator.start()
    stage.create("after-the-restart", hubRef={"kind": "ClusterHub", "name": "shared"})
    assert {write.name for write in stage.writes()[len(before) :]} == {"after-the-restart"}


def test_default(stage: Scene) -> None:
    """Without hubRef the namespace's own Hub default counts, else the ClusterHub of that name."""
    allow(stage, names=["*"])
    stage.kubectl.apply(source("homeless"))
    assert "neither a Hub nor a ClusterHub named default" in stage.reason("homeless", "HubNotFound").message
    stage.kubectl.apply(*stage.platform.hub())
    stage.ready("homeless", timeout=5)
    assert stage.status("homeless")["hub"]["kind"] == "Hub"


def test_stays_while_used(stage: Scene) -> None:
    """A ClusterHub that is deleted stays while a source of any namespace belongs to it."""
    held = stage.kubectl.get("clusterhub", "shared")
    assert held["metadata"]["finalizers"] == [HUB_FINALIZER]
    stage.kubectl("delete", "clusterhub", "shared", "--wait=false")
    stage.kubectl("delete", "imagesources", "--all", "--timeout=30s")
    stage.kubectl("wait", "--for=delete", "clusterhub/shared", "--timeout=8s")
