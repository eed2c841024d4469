"""A running cluster, as the demo and the tests see it, and the kubectl to use with it."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from imagesources.controlplane.build import Say, built, kubernetes_version


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is and how to talk to it; not whether it answers.

    Attributes:
        kubeconfig: For the person, an administrator.
        operator_kubeconfig: For the operator: a user of its own where the control plane is ours, so that the audit
            log tells its writes from kubectl's.
        kubectl: The program.
        folder: Temporary files go here.
        audit_log: One JSON event per line for each write, where the control plane is ours.
    """

    kubeconfig: Path
    operator_kubeconfig: Path
    kubectl: Path
    folder: Path
    audit_log: Path | None = None

    def with_kubeconfig(self, kubeconfig: Path) -> "Cluster":
        """The same cluster for the person with another kubeconfig; the operator's stays."""
        return replace(self, kubeconfig=kubeconfig)

    def command(self, *args: str) -> list[str]:
        """The command line of a kubectl that writes nothing outside of ``folder``."""
        return [
            *(str(self.kubectl), "--kubeconfig", str(self.kubeconfig)),
            *("--cache-dir", str(self.folder / "kubectl-cache"), *args),
        ]


def write_kubeconfig(path: Path, server: str, certificate: bytes, user: str, token: str) -> None:
    """Writes a kubeconfig, readable by its owner alone, for a user with a token; the certificate is PEM."""
    authority = base64.b64encode(certificate).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
        "current-context": "local",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content, indent=2))


def kubectl_on_path(server_minor: int | None) -> Path | None:
    """The kubectl on PATH, unless it is more than one minor version older than the server."""
    program = shutil.which("kubectl")
    if program is None:
        return None
    client = _minor(_output(program, "version", "--client", "--output=json"), "clientVersion")
    return Path(program) if client is not None and client >= (server_minor or 0) - 1 else None


def kubectl_for(kubeconfig: Path, say: Say) -> Path:
    """A kubectl that fits a running cluster: the one on PATH, else the built one."""
    program = shutil.which("kubectl") or str(built(say) / "kubectl")
    server = ("--kubeconfig", str(kubeconfig), "--request-timeout=20s")
    minor = _minor(_output(program, *server, "version", "--output=json"), "serverVersion")
    return kubectl_on_path(minor) or built(say) / "kubectl"


def usual_kubectl(say: Say) -> Path:
    """A kubectl for a cluster that is still to be made: the one on PATH, unless it is too old, else the built one."""
    return kubectl_on_path(_minor(kubernetes_version(), "")) or built(say) / "kubectl"


def apiserver_minor(program: str) -> int | None:
    """The minor version of a kube-apiserver program; None when it does not say."""
    return _minor(_output(program, "--version"), "Kubernetes")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _minor(text: str, part: str) -> int | None:
    """The minor of the first version such as ``v1.36.3`` after a word."""
    found = re.search(rf"{part}.*?v\d+\.(\d+)", text, re.DOTALL)
    return int(found[1]) if found else None
