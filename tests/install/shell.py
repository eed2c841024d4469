"""Documented commands, run as somebody types them."""

import os
import subprocess

from tests.support.cluster import ROOT

from imagesources.controlplane import Cluster


def typed(cluster: Cluster, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in the root of the repository, up to the first command that fails, with kubectl for a cluster."""
    path = f"{cluster.kubectl.parent}:{os.environ['PATH']}"
    own = {"KUBECONFIG": str(cluster.kubeconfig), "KUBECACHEDIR": str(cluster.folder / "kubectl-cache"), "PATH": path}
    env = os.environ | own | variables
    return subprocess.run(
        ["sh", "-ec", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )
