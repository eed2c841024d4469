"""The operator as a process: a start before anything is there, its endpoints, and an apiserver that is away."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.cluster import Kubectl, install_crds, new_namespace
from tests.support.forked import ForkedOperator
from tests.support.platform import Platform
from tests.support.process import OperatorProcess
from tests.support.proxy import HANGING
from tests.support.scene import QUICK, Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane, Programs, find_programs


@dataclass
class Fresh:
    """A control plane without the CRDs, a platform, and an operator for the whole cluster, not started.

    Attributes:
        home: the operator's namespace.
    """

    control_plane: ControlPlane
    platform: Platform
    operator: OperatorProcess
    home: Kubectl

    def team(self) -> Kubectl:
        """A new namespace."""
        return Kubectl(self.control_plane.cluster, new_namespace(self.control_plane.cluster))


@pytest.fixture(scope="module")
def programs(control_plane: ControlPlane) -> Programs:
    """The programs that the run's control plane is made of."""
    assert control_plane
    return find_programs(print)


@pytest.fixture
def fresh(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    """Everything of one test's own."""
    folder = tmp_path_factory.mktemp("fresh")
    with ControlPlane(programs) as running, Platform(folder, "--step-seconds=0.02") as platform:
        home = Kubectl(running.cluster, new_namespace(running.cluster))
        flags = [f"--operator-namespace={home.namespace}", f"--allow-host={platform.url.removeprefix('http://')}"]
        with OperatorProcess(running.cluster, folder, *flags, *QUICK) as operator:
            yield Fresh(running, platform, operator, home)


@pytest.fixture(scope="module")
def stage(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An operator with a proxy in front of its apiserver."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("process"), proxied=True) as found:
        found.operator.start()
        yield found
        found.operator.stop()


def test_whole_cluster(fresh: Fresh) -> None:
    """It waits for its CRDs, serves a ClusterHub to the namespaces that it allows, and survives a new apiserver."""
    fresh.operator.start(ready=False)
    wait_for(lambda: "are the CRDs of crds/ installed?" in fresh.operator.log.read_text(), what="the hint")
    assert (fresh.operator.answers("/livez"), fresh.operator.answers("/readyz")) == (True, False)
    install_crds(fresh.control_plane.cluster)
    wait_for(fresh.operator.is_ready, what="the operator to be ready")

    key, hub = fresh.platform.hub(fresh.platform.url)
    team, other = fresh.team(), fresh.team()
    hub["kind"] = "ClusterHub"
    hub["spec"]["allowedNamespaces"] = {"names": [team.namespace]}
    fresh.home.apply(key, hub)
    team.apply(source("web"))
    other.apply(source("web"))
    team("wait", "imagesource/web", "--for=condition=Ready", "--timeout=20s")
    denied = '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=HubNotAllowed'
    other("wait", "imagesource/web", denied, "--timeout=10s")
    other("label", "namespace", other.namespace, "team=shop")
    hub["spec"]["allowedNamespaces"]["selector"] = {"matchLabels": {"team": "shop"}}
    fresh.home.apply(hub)
    other("wait", "imagesource/web", "--for=condition=Ready", "--timeout=10s")
    assert len(fresh.platform.sources()) == 2
    _survive_another_apiserver(fresh, team)


def _survive_another_apiserver(fresh: Fresh, team: Kubectl) -> None:
    fresh.control_plane.stop_apiserver()
    wait_for(lambda: "the Kubernetes API does not answer" in fresh.operator.log.read_text(), what="it to be noticed")
    assert fresh.operator.answers("/livez")
    fresh.control_plane.start_apiserver()
    team.apply(source("after"))
    team("wait", "imagesource/after", "--for=condition=Ready", "--timeout=30s")
    team("delete", "imagesources", "--all", "--timeout=30s")
    assert len(fresh.platform.sources()) == 1
    assert "ConnectionKey" not in fresh.operator.log.read_text()
    fresh.operator.stop()


@pytest.mark.parametrize("how", ["refused", "hanging"])
def test_apiserver_away(stage: Scene, how: str) -> None:
    """While the apiserver is away the operator lives, and afterwards it makes up for what it missed."""
    assert stage.api
    stage.create(f"old-{how}")
    if how == "hanging":
        stage.api.rule = lambda _call: HANGING
    stage.api.cut()
    if how == "hanging":
        stage.api.mend()
    stage.edit(f"old-{how}", name=f"Edited while {how}")
    stage.kubectl.apply(source(f"new-{how}"))
    tried = len(stage.api.calls)
    if how == "hanging":
        wait_for(lambda: len(stage.api.calls) > tried, timeout=60, what="the operator to try")
        stage.api.cut()  # what hangs is lost
    assert stage.operator.answers("/livez")
    stage.api.rule = None
    stage.api.mend()
    stage.ready(f"new-{how}", timeout=90)
    stage.ready(f"old-{how}", timeout=90)
    assert stage.seen(f"old-{how}")["name"] == f"Edited while {how}"
    assert "Traceback" not in stage.operator.log.read_text()


def test_stop_while_the_apiserver_is_away(stage: Scene) -> None:
    """Without an apiserver the operator ends in time too, and so it does before it has ever seen one."""
    assert stage.api
    stage.api.cut()
    stage.operator.stop()
    stage.operator.start(ready=False)
    wait_for(lambda: stage.operator.answers("/livez"), what="the operator to live")
    assert not stage.operator.answers("/readyz")
    stage.operator.stop()
    stage.api.mend()
    stage.operator.start()


def test_stop_while_everything_hangs(stage: Scene) -> None:
    """Requests that hang, to the platform and to the apiserver, do not keep it from ending."""
    assert stage.api
    api = stage.api
    stage.create("stuck")
    stage.create("unsaid")
    before = len(api.calls)
    stage.calls.rule = lambda call: HANGING if call.is_write and b"Never" in call.body else None
    api.rule = lambda call: HANGING if call.is_write and "unsaid" in call.path else None
    stage.edit("stuck", name="Never answered")
    stage.edit("unsaid", name="Not written down")
    wait_for(lambda: any(b"Never" in call.body for call in stage.calls.calls), what="one request that hangs")
    wait_for(lambda: [call for call in api.calls[before:] if call.is_write and "unsaid" in call.path], what="the other")
    stage.operator.stop(within=20)
    stage.calls.rule = api.rule = None
    stage.operator.start()
    stage.ready("stuck")
    stage.ready("unsaid")


def test_stop_signals_in_a_burst(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """However many stop signals come, however close together, each of several operators ends cleanly."""
    flags = ("--kubeconfig", str(control_plane.cluster.operator_kubeconfig), "--namespace", namespace)
    logs = [tmp_path / f"{number}.log" for number in range(4)]
    operators = [ForkedOperator(log, *flags, "--listen=127.0.0.1:0") for log in logs]
    for log, operator in zip(logs, operators, strict=True):
        wait_for(lambda log=log: "ready;" in log.read_text(), what=f"{log} to say so")
        for number in (signal.SIGINT, signal.SIGTERM) * 500:
            os.kill(operator.pid, number)
    codes = [operator.wait(30) for operator in operators]
    for operator, code in zip(operators, codes, strict=True):
        if code is None:
            operator.kill()
    assert codes == [0] * len(operators)
