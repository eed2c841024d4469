"""A control plane of its own, as releases have objects of the whole cluster, with the CRDs that others bring."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.install.values import HOME
from tests.support.cluster import Kubectl, install_crds, run_kubectl
from tests.support.programs import helm

from imagesources.controlplane import Cluster, ControlPlane, find_programs

FOREIGN = Path(__file__).parent / "foreign"


def pytest_collection_finish() -> None:
    """Builds Helm, if it is not there, before the first test, whose time limit a build would exceed."""
    helm()


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    """A cluster with a namespace for the operator where only restricted Pods are let in."""
    assert control_plane.cluster
    with ControlPlane(find_programs(print)) as running:
        install_crds(running.cluster)
        run_kubectl(running.cluster, "apply", "--server-side", f"--filename={FOREIGN}")
        run_kubectl(running.cluster, "wait", "--for=condition=Established", f"--filename={FOREIGN}")
        run_kubectl(running.cluster, "create", "namespace", HOME)
        run_kubectl(running.cluster, "create", "namespace", "team-a")
        run_kubectl(running.cluster, "label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted")
        yield running.cluster


@pytest.fixture
def home(cluster: Cluster) -> Kubectl:
    """Runs kubectl in the operator's namespace."""
    return Kubectl(cluster, HOME)
