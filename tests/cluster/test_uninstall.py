"""An uninstallation neither deletes what is on the platform nor leaves anything that waits for the operator."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane
from imagesources.resources import FINALIZER, HUB_FINALIZER


@pytest.fixture
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator with a namespace of the test's own."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("uninstall")) as found:
        found.operator.start()
        yield found


def _uninstall(stage: Scene, *flags: str) -> subprocess.CompletedProcess[str]:
    where = ["--kubeconfig", str(stage.kubectl.cluster.operator_kubeconfig), "--namespace", stage.kubectl.namespace]
    argv = [sys.executable, "-m", "imagesources", "uninstall", *where, *flags]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def _finalizers(stage: Scene) -> list[str]:
    found = stage.kubectl.list("imagesources") + stage.kubectl.list("hubs")
    return [name for each in found for name in each["metadata"].get("finalizers", [])]


def test_refused_while_sources_exist(stage: Scene) -> None:
    """While ImageSources exist it names some and says what to do, and changes nothing; afterwards it agrees."""
    for number in range(7):
        stage.kubectl.apply(source(f"web-{number}"))
    for number in range(7):
        stage.ready(f"web-{number}")
    before = [each["metadata"]["resourceVersion"] for each in stage.kubectl.list("imagesources")]
    refused = _uninstall(stage)
    assert refused.returncode == 1
    namespace = stage.kubectl.namespace
    assert f"7 ImageSources exist: {namespace}/web-0, {namespace}/web-1, " in refused.stderr
    assert "and 2 more" in refused.stderr
    where = f"--namespace={namespace} --kubeconfig={stage.kubectl.cluster.operator_kubeconfig}"
    assert f"\n  kubectl delete imagesources --all {where}\n" in refused.stderr
    assert f"\n  imagesource-operator uninstall --orphan {where}\n" in refused.stderr
    assert "--all-namespaces" not in refused.stderr
    assert [each["metadata"]["resourceVersion"] for each in stage.kubectl.list("imagesources")] == before
    stage.kubectl("delete", "imagesources", "--all", "--timeout=30s")
    agreed = _uninstall(stage)
    assert (agreed.returncode, agreed.stderr) == (0, "")
    assert _finalizers(stage) == []


def test_orphan_beside_a_running_operator(stage: Scene) -> None:
    """With --orphan resources and Hubs can be deleted at once, the operator holds none again, and sources stay."""
    stage.create("kept")
    stage.create("dying", name="Dying")
    stage.create("watched", managementPolicy="Observe", adopt={"id": stage.id_of("kept")})
    stage.edit("dying", suspend=True)
    stage.kubectl("delete", "imagesource", "dying", "--wait=false")
    assert sorted(set(_finalizers(stage))) == sorted({FINALIZER, HUB_FINALIZER})
    sources = stage.platform.sources()
    done = _uninstall(stage, "--orphan")
    assert done.returncode == 0, done.stderr
    assert "Let go: 2 ImageSources" in done.stdout
    seen = stage.calls.count("GET", "?")
    wait_for(lambda: stage.calls.count("GET", "?") > seen + 2, what="the operator to look around")
    assert _finalizers(stage) == []
    assert [each["metadata"]["name"] for each in stage.kubectl.list("imagesources")] == ["kept", "watched"]
    stage.operator.stop()
    stage.kubectl("delete", "imagesources,hubs", "--all", "--timeout=10s")
    assert stage.platform.sources() == sources


def test_installed_again(stage: Scene, tmp_path: Path) -> None:
    """After the printed commands what was let go goes on with the same source, what was suspended before does not."""
    before = stage.create("back")
    stage.create("paused")
    stage.edit("paused", suspend=True)
    stage.operator.stop()
    done = _uninstall(stage, "--orphan")
    assert done.returncode == 0
    stage.operator.start()
    commands = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    argv = ["sh", "-ec", "\n".join(commands)]
    env = {"PATH": f"{stage.kubectl.cluster.kubectl.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    resumed = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert resumed.stdout == "imagesource.images.cycle.io/back patched\n"
    stage.edit("back", name="Back again")
    stage.ready("back")
    assert stage.id_of("back") == before["status"]["id"]
    assert sorted(each["name"] for each in stage.platform.sources()) == ["Back again", "paused"]
    assert stage.get("paused")["spec"]["suspend"] is True
    assert stage.get("back")["metadata"]["finalizers"] == [FINALIZER]


def test_orphan_amid_creates(stage: Scene) -> None:
    """Let go amid their creates, resources make no second source, neither then nor after another installation."""
    names = [f"busy-{number}" for number in range(15)]
    stage.kubectl.apply(*(source(name) for name in names))
    wait_for(lambda: len(stage.platform.sources()) > 2, what="some creates")
    done = _uninstall(stage, "--orphan")
    assert done.returncode == 0, done.stderr
    assert FINALIZER not in _finalizers(stage)
    for name in names:
        stage.edit(name, suspend=False)
    for name in names:
        stage.ready(name)
    there = stage.platform.sources()
    assert sorted(each["id"] for each in there) == sorted(stage.id_of(name) for name in names)


def test_nothing_there(stage: Scene) -> None:
    """In a namespace without anything of ours there is nothing to wait for."""
    stage.operator.stop()
    done = _uninstall(stage)
    assert done.returncode == 0
    assert "it can be removed" in done.stdout
