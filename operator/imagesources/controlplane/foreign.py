"""Clusters that are not made of our own processes: one that the user names, or kind in Docker."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagesources.controlplane.build import ControlPlaneError, Say
from imagesources.controlplane.cluster import Cluster, usual_kubectl


@dataclass(frozen=True)
class Named:
    """The cluster of a kubeconfig that the user asks to use; it is neither started nor stopped here."""

    kubeconfig: Path
    kubectl: Path

    @property
    def origin(self) -> str:
        """Where it was found."""
        return f"the cluster of {self.kubeconfig}"

    @contextmanager
    def cluster(self, folder: Path) -> Iterator[Cluster]:
        """Talks to that cluster as the kubeconfig's own user."""
        yield Cluster(self.kubeconfig, self.kubeconfig, self.kubectl, folder)


@dataclass(frozen=True)
class Kind:
    """A kind cluster, made for this run and deleted after it."""

    program: Path
    kubectl: Path
    say: Say
    origin: str = "kind"

    @property
    def name(self) -> str:
        """The cluster's name, of its own for each process."""
        return f"imagesources-{os.getpid()}"

    @contextmanager
    def cluster(self, folder: Path) -> Iterator[Cluster]:
        """Creates the cluster; its kubeconfig stays in ``folder``, the user's own is not touched.

        Raises:
            ControlPlaneError: kind fails; its own words are on standard error.
        """
        kubeconfig = folder / "kubeconfig"
        self.say(f"Creating the kind cluster {self.name}; the first time downloads its node image, a minute or two.")
        where = ["--name", self.name, "--kubeconfig", str(kubeconfig)]
        try:
            if subprocess.run([self.program, "create", "cluster", *where, "--wait=120s"], check=False).returncode:
                raise ControlPlaneError("kind could not create a cluster; unset it from PATH to build one instead.")
            yield Cluster(kubeconfig, kubeconfig, self.kubectl, folder)
        finally:
            subprocess.run([self.program, "delete", "cluster", *where], check=False)


def kind_at_hand(say: Say) -> Kind | None:
    """kind, where a Docker engine really answers; a kubectl that is missing or too old is built.

    Raises:
        ControlPlaneError: The build failed.
    """
    kind, docker = shutil.which("kind"), shutil.which("docker")
    if kind is None or docker is None:
        return None
    try:  # some versions exit with 0 and an empty answer when there is no engine
        answer = subprocess.run(
            [docker, "info", "--format", "{{.ServerVersion}}"], capture_output=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    answers = answer.returncode == 0 and answer.stdout.strip()
    return Kind(Path(kind), usual_kubectl(say), say) if answers else None
