"""The programs of a node: Kubernetes' own beside the control plane, DNS, and the pause container."""

from pathlib import Path

from tests.support.programs import helm, say

from imagesources.controlplane import Recipe, built

_RECIPE = Recipe(
    name="node",
    title="the programs of a Kubernetes node",
    effort="about 7 minutes on two cores",
    modules=Path(__file__).parent / "go",
    links=dict.fromkeys(("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy"), "node"),
)


def search_path() -> str:
    """The folders that hold etcd, Kubernetes, CoreDNS, pause and Helm, as ``PATH`` takes them.

    Raises:
        ControlPlaneError: A download or a build failed.
    """
    return ":".join(str(folder) for folder in (built(say), _RECIPE.built(say), helm().parent))
