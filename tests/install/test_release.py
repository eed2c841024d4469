"""Releases by the real Helm: what people's own charts say survives, and ours is installed, upgraded and rolled back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.install.values import HOME
from tests.support.cluster import Kubectl
from tests.support.helm import Helm
from tests.support.scene import Scene, scene, source

from imagesources.cli.doctor import doctor
from imagesources.controlplane import Cluster, ControlPlane

Json = dict[str, Any]

WAYS = {"client-side": "--server-side=false", "server-side": "--server-side=true"}


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running operator."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("release")) as found:
        found.operator.start()
        yield found
        found.operator.stop()


def write_chart(folder: Path, *objects: Json) -> Path:
    """A chart of somebody who has sources in it, with a name that the values give."""
    folder.joinpath("templates").mkdir(exist_ok=True)
    folder.joinpath("Chart.yaml").write_text('apiVersion: v2\nname: shop\nversion: "1.0.0"\n')
    folder.joinpath("values.yaml").write_text("title: One\n")
    text = "\n---\n".join(json.dumps(each).replace('"TITLE"', "{{ .Values.title | quote }}") for each in objects)
    folder.joinpath("templates", "sources.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("way", WAYS)
def test_unrestricted_survives(stage: Scene, tmp_path: Path, way: str) -> None:
    """No restriction, in a chart, is no restriction after install, upgrade, rollback, and with either kind of apply."""
    name = f"open-{way}"
    chart = write_chart(tmp_path, source(name, name="TITLE", acl={"unrestricted": True}))
    helm = Helm(stage.kubectl.cluster, stage.kubectl.namespace)
    helm("install", name, "CHART", WAYS[way], "--wait", "--timeout=60s", chart=chart)
    _assert_open(stage, name, "One")
    helm("upgrade", name, "CHART", WAYS[way], "--wait", "--timeout=60s", "--set=title=Two", chart=chart)
    _assert_open(stage, name, "Two")
    helm("rollback", name, "1", WAYS[way], "--wait", "--timeout=60s")
    _assert_open(stage, name, "One")
    helm("uninstall", name, "--wait", "--timeout=60s")
    assert stage.platform.sources(name="One") == []


def _assert_open(stage: Scene, name: str, title: str) -> None:
    """The release is done when the source is: Helm waits for kstatus."""
    found = stage.get(name)
    assert found["spec"]["acl"] == {"unrestricted": True}
    seen = stage.seen(name)
    assert (seen["acl"], seen["name"]) == (None, title)


def test_helm_waits_for_failure(stage: Scene, tmp_path: Path) -> None:
    """A source that cannot become what it is to be makes the release fail, and not wait for ever."""
    chart = write_chart(tmp_path, source("lost", adopt={"id": "5f" * 12}))
    helm = Helm(stage.kubectl.cluster, stage.kubectl.namespace)
    with pytest.raises(AssertionError, match="lost"):
        helm("install", "lost", "CHART", "--wait", "--timeout=60s", chart=chart)
    stage.reason("lost", "AdoptionFailed")
    helm("uninstall", "lost", "--wait", "--timeout=60s")


def test_operator_is_installed_and_changed(cluster: Cluster) -> None:
    """The chart is installed, upgraded and rolled back; nobody else's field is in the way of a server-side apply."""
    helm, kubectl = Helm(cluster, HOME), Kubectl(cluster, HOME)
    answer = helm("install", "iso", "CHART")
    assert "There is no default hub" in answer
    helm("upgrade", "iso", "CHART", values={"replicas": 2})
    assert kubectl.get("poddisruptionbudget", "iso-imagesource-operator")
    helm("rollback", "iso", "1")
    assert kubectl.list("poddisruptionbudgets") == []
    helm("uninstall", "iso", "--no-hooks")
    assert kubectl.list("deployments") == []
    crds = kubectl("get", "crds", "--output=name")
    assert "imagesources.images.cycle.io" in crds


def test_refused_uninstall_is_rolled_back(cluster: Cluster) -> None:
    """After an uninstall that failed before it began, the documented rollback makes an upgrade possible again."""
    helm = Helm(cluster, HOME)
    orphan = ("upgrade", "leaving", "CHART", "--reuse-values", "--set=uninstall.orphan=true")
    said = helm("install", "leaving", "CHART")
    with pytest.raises(AssertionError, match="uninstall not ready"):
        helm("uninstall", "leaving", "--timeout=500ms")  # no node runs the Job, so it never says yes
    with pytest.raises(AssertionError, match="has no deployed releases"):
        helm(*orphan)
    (rollback,) = re.findall(r"helm (rollback .*) --namespace", said)
    helm(*rollback.split())
    assert "lets all ImageSources go" in helm(*orphan)
    helm("uninstall", "leaving", "--no-hooks")


def test_doctor_sees_releases_that_serve_the_same(cluster: Cluster) -> None:
    """Two releases without a part of their own both work: the doctor names them; parts and shards are in order."""
    here, there = Helm(cluster, HOME), Helm(cluster, "team-a")
    here("install", "one", "CHART")
    here("install", "shard", "CHART", "--set=shardSelector=a=b")
    there("install", "two", "CHART", "--set=namespaces={team-a}")
    assert _others(cluster) == [f"{HOME}/one-imagesource-operator and team-a/two-imagesource-operator"]
    there("upgrade", "two", "CHART", "--set=replicas=0")
    assert _others(cluster) == []
    for helm, name in ((here, "one"), (here, "shard"), (there, "two")):
        helm("uninstall", name, "--no-hooks")


def _others(cluster: Cluster) -> list[str]:
    """The releases that the doctor names."""
    flags = (f"--kubeconfig={cluster.kubeconfig}", f"--account={HOME}:one-imagesource-operator", "--output=json")
    answer = CliRunner().invoke(doctor, flags)
    found = [each["message"] for each in json.loads(answer.stdout)["findings"] if each["check"] == "others"]
    return [message.partition(" serve the same")[0] for message in found]
