"""The life of an installation on a real node: install, work, upgrade, roll back, uninstall."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.cluster import IMAGE, cluster_with_image
from tests.support.cluster import SAMPLES, Kubectl
from tests.support.helm import Helm
from tests.support.programs import say
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster

pytestmark = pytest.mark.timeout(1800)

_SYSTEM = "imagesource-system"
_VALUES = {
    "image": {"repository": IMAGE, "tag": "first"},
    "hub": {
        "embedded": {"persistence": {"size": "1Gi"}},
        "allowedNamespaces": {"names": ["team-a"]},
    },
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster with one node that holds the image under two tags."""
    with cluster_with_image("first", "second") as found:
        yield found


def test_installation(cluster: Cluster, tmp_path: Path) -> None:
    """Sources stay the same through a lost Pod, an upgrade and a rollback; an uninstall leaves nothing."""
    system, team = Kubectl(cluster, _SYSTEM), Kubectl(cluster, "team-a")
    _prepare(system, tmp_path)
    try:
        _live(Helm(cluster, _SYSTEM), system, team)
    except AssertionError:
        say(team("describe", "imagesources,clusterhubs"))
        say(system("logs", "--selector=app.kubernetes.io/component=operator", "--tail=40"))
        raise


def _live(helm: Helm, system: Kubectl, team: Kubectl) -> None:
    """Everything in the life of an installation, in order."""
    started = time.monotonic()
    helm("install", "sources", "CHART", "--wait", "--timeout=100s", values=_VALUES)
    team("apply", f"--filename={SAMPLES / 'docker-hub.yaml'}")
    team("wait", "imagesource", "--all", "--for=condition=Ready", "--timeout=60s")
    say(f"From helm install to the first Ready source: {time.monotonic() - started:.1f} s")

    team("apply", *(f"--filename={path}" for path in sorted(SAMPLES.glob("*.yaml")) if path.stem != "00-hub"))
    team("wait", "imagesource", "--all", "--for=condition=Ready", "--timeout=90s")
    say(team("get", "imagesources"))
    # Five processes touch sources within minutes; each counts all that those before it may have touched.
    team.patch("clusterhub", "default", {"spec": {"brake": {"minimum": 50}}})
    first = _ids(team)
    say(helm("test", "sources", "--logs"))

    _lose_the_pod(system)
    _works(team, "after the Pod was lost")
    helm("upgrade", "sources", "CHART", "--wait", "--timeout=100s", values=_VALUES | _tag("second"))
    assert _images(system) == {f"{IMAGE}:second"}
    _works(team, "after the upgrade")
    helm("rollback", "sources", "1", "--wait", "--timeout=100s")
    assert _images(system) == {f"{IMAGE}:first"}
    _works(team, "after the rollback")
    assert _ids(team) == first, "a source was made again"

    with pytest.raises(AssertionError, match="ImageSource"):
        helm("uninstall", "sources", "--wait", "--timeout=100s")
    helm("rollback", "sources", "3", "--wait", "--timeout=100s")  # Helm marks it "uninstalling": no upgrade until then
    _works(team, "after a refused uninstall")
    assert _ids(team) == first, "a source was made again"
    team("delete", "imagesource", "--all", "--timeout=90s")
    helm("uninstall", "sources", "--wait", "--timeout=100s")
    kinds = "deployments,services,serviceaccounts,roles,rolebindings,jobs,pods"
    wait_for(
        lambda: system("get", kinds, "--output=name").split() == ["serviceaccount/default"],
        what="nothing to be left",  # Helm waits for its own objects, not for their Pods
    )


def _prepare(kubectl: Kubectl, folder: Path) -> None:
    """The namespaces, under Pod Security "restricted", and a volume for a cluster that has no provisioner."""
    data = folder / "data"
    data.mkdir(mode=0o777)
    data.chmod(0o777)  # a host path knows no fsGroup
    kubectl("create", "namespace", _SYSTEM)
    kubectl("create", "namespace", "team-a")
    kubectl("label", "namespace", _SYSTEM, "team-a", "pod-security.kubernetes.io/enforce=restricted")
    kubectl.apply(_volume(data))


def _volume(path: Path) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": str(path)}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "data"}, "spec": spec}


def _tag(tag: str) -> dict[str, Any]:
    return {"image": {"repository": IMAGE, "tag": tag}}


def _ids(kubectl: Kubectl) -> dict[str, str]:
    return {each["metadata"]["name"]: each["status"]["id"] for each in kubectl.list("imagesources")}


def _images(kubectl: Kubectl) -> set[str]:
    pods = [each for each in kubectl.list("pods") if each["status"]["phase"] == "Running"]
    return {container["image"] for pod in pods for container in pod["spec"]["containers"]}


def _lose_the_pod(kubectl: Kubectl) -> None:
    """Deletes the Pod without grace, as a lost node would, and waits for the next one."""
    kubectl("delete", "pod", "--selector=app.kubernetes.io/component=operator", "--grace-period=0", "--force")
    kubectl("rollout", "status", "deployment", "--timeout=120s")


def _works(kubectl: Kubectl, when: str) -> None:
    """An edit reaches the platform: the operator works."""
    kubectl.patch("imagesource", "web", {"spec": {"about": {"description": when}}})
    kubectl("wait", "imagesource", "web", "--for=condition=Ready", "--timeout=60s")
    wait_for(
        lambda: (
            kubectl.get("imagesource", "web")["status"]["observedGeneration"]
            == kubectl.get("imagesource", "web")["metadata"]["generation"]
        ),
        what=f"the edit {when}",
    )
    say(f"An edit {when} is on the platform.")
