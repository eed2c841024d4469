"""The control plane that all cluster tests stand on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cluster import Kubectl, Writes, run_kubectl
from tests.support.process import processes_with
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, ControlPlane, ControlPlaneError, Programs, find_programs


@pytest.fixture
def programs(control_plane: ControlPlane) -> Programs:
    """The programs of this run's control plane."""
    assert control_plane.cluster
    return find_programs(print)


def _as_operator(cluster: Cluster) -> Cluster:
    return Cluster(cluster.operator_kubeconfig, cluster.operator_kubeconfig, cluster.kubectl, cluster.folder)


def test_users_are_told_apart(control_plane: ControlPlane, kubectl: Kubectl, writes: Writes) -> None:
    """The audit log tells the operator's writes from the administrator's and counts no reads."""
    kubectl("create", "configmap", "by-hand")
    own = ("--namespace", kubectl.namespace)
    run_kubectl(_as_operator(control_plane.cluster), *own, "create", "configmap", "by-operator")
    run_kubectl(_as_operator(control_plane.cluster), *own, "get", "configmap", "by-hand")
    assert [(write.verb, write.name, write.code) for write in writes(resource="configmaps")] == [
        ("create", "by-operator", 201)
    ]
    assert [write.name for write in writes(user="admin", resource="configmaps")] == ["by-hand"]


def test_apiserver_away_and_back(programs: Programs) -> None:
    """The apiserver can be stopped and comes back at the same address with everything it held."""
    with ControlPlane(programs) as running:
        run_kubectl(running.cluster, "create", "namespace", "kept")
        running.stop_apiserver()
        with pytest.raises(AssertionError, match="refused"):
            run_kubectl(running.cluster, "get", "namespace", "kept")
        running.start_apiserver()
        run_kubectl(running.cluster, "get", "namespace", "kept")


def test_lost_port_leads_to_another_try(programs: Programs, tmp_path: Path) -> None:
    """When another process takes a port first, the control plane starts on other ports."""
    etcd = tmp_path / "etcd"
    etcd.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/tried ] && exec {programs.etcd} "$@"\n'
        f"touch {tmp_path}/tried; echo listen tcp: address already in use; exit 1\n"
    )
    etcd.chmod(0o755)
    with ControlPlane(Programs(etcd, programs.apiserver, programs.kubectl, "test")) as running:
        run_kubectl(running.cluster, "get", "namespaces")
    assert tmp_path.joinpath("tried").exists()


def test_failing_start_shows_the_log(programs: Programs, tmp_path: Path) -> None:
    """A program that does not start ends the wait at once and shows its last words."""
    broken = tmp_path / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho no such flag; exit 2\n")
    broken.chmod(0o755)
    with (
        pytest.raises(ControlPlaneError, match="no such flag"),
        ControlPlane(Programs(programs.etcd, broken, programs.kubectl, "test")),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.usefixtures("programs")
def test_nothing_survives(tmp_path: Path, number: signal.Signals) -> None:
    """Neither Ctrl-C nor kill -9 leaves a process behind; Ctrl-C no file either."""
    code = """
import time
from pathlib import Path
from imagesources.controlplane import ControlPlane, find_programs
with ControlPlane(find_programs(print)) as running:
    print(running.cluster.folder, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as starter:
        assert starter.stdout is not None
        folder = next(line.strip() for line in starter.stdout if str(tmp_path) in line)
        assert len(processes_with(folder)) == 2
        starter.send_signal(number)
    wait_for(lambda: not processes_with(folder), what="both programs to end")
    assert number == signal.SIGKILL or not Path(folder).exists()
