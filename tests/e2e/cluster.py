"""A cluster with a real node and the operator's image on it: kind where Docker runs, else a node of our own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.programs import search_path
from tests.support.cluster import ROOT
from tests.support.programs import say

from imagesources.controlplane import Cluster
from imagesources.controlplane.foreign import Kind, kind_at_hand

IMAGE = "localhost/imagesource-operator"
_HERE = Path(__file__).parent
_PACKAGES = ("containerd", "runc", "containernetworking-plugins", "nftables", "iproute2", "mmdebstrap", "buildah")


@contextmanager
def cluster_with_image(*tags: str) -> Iterator[Cluster]:
    """Builds the image, makes a cluster that has it under these tags, and removes the cluster at the end.

    Raises:
        RuntimeError: There is no Docker with kind, and this is not root on Debian.
        subprocess.CalledProcessError: A step failed; its own words are on standard error.
    """
    with TemporaryDirectory() as folder:
        kind = kind_at_hand(say)
        with _kind(kind, Path(folder), tags) if kind else _own(Path(folder), tags) as cluster:
            yield cluster


@contextmanager
def _kind(kind: Kind, folder: Path, tags: tuple[str, ...]) -> Iterator[Cluster]:
    for tag in tags:
        _run("docker", "build", "--tag", f"{IMAGE}:{tag}", str(ROOT))
    with kind.cluster(folder) as cluster:
        _run(str(kind.program), "load", "docker-image", "--name", kind.name, *(f"{IMAGE}:{tag}" for tag in tags))
        yield cluster


@contextmanager
def _own(folder: Path, tags: tuple[str, ...]) -> Iterator[Cluster]:
    """A node in namespaces of this machine; see node.sh."""
    _install_packages()
    env = os.environ | {"PATH": f"{search_path()}:{os.environ['PATH']}"}
    programs = {name: Path(shutil.which(name, path=env["PATH"]) or name) for name in ("kubectl", "pause")}
    images = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagesource-operator" / "images"
    say("Building the image from a local Debian root file system …")
    _run(str(_HERE / "image.sh"), "base", str(images), str(programs["pause"]), env=env)
    _run(str(_HERE / "image.sh"), "build", str(images), *(f"{IMAGE}:{tag}" for tag in tags), env=env)
    node, script = folder / "node", str(_HERE / "node.sh")
    say("Starting a node …")
    try:
        _run(script, "up", str(node), *(str(images / f"{name}.tar") for name in ("pause", *tags)), env=env)
        kubeconfig = node / "admin.kubeconfig"
        yield Cluster(kubeconfig, kubeconfig, programs["kubectl"], folder)
    finally:
        _run(script, "down", str(node), env=env)


def _install_packages() -> None:
    """Installs what a node needs from Debian, where it is missing."""
    if subprocess.run(["dpkg", "-s", *_PACKAGES], capture_output=True, check=False).returncode == 0:
        return
    if os.geteuid() != 0:
        raise RuntimeError(f"make e2e needs kind with Docker, or root on Debian with {', '.join(_PACKAGES)}.")
    _run("apt-get", "update", "-q")
    _run("apt-get", "install", "-yq", "--no-install-recommends", *_PACKAGES)


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
