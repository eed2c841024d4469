"""kubectl, the audit log and the CRDs of a test's control plane."""

import json
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagesources.controlplane import OPERATOR, Cluster

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "crds"
SAMPLES = ROOT / "manifests" / "samples"


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace, as the administrator."""

    cluster: Cluster
    namespace: str

    def __call__(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - subprocess's word
        """Runs a command and returns its standard output.

        Raises:
            AssertionError: kubectl failed; holds the command and its standard error. ``wait_for`` tries it again.
        """
        return run_kubectl(self.cluster, "--namespace", self.namespace, *args, input=input)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object as the apiserver holds it; raises AssertionError when it is not there."""
        return dict(json.loads(self("get", kind, name, "--output=json")))

    def list(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind in the namespace."""
        return list(json.loads(self("get", kind, "--output=json"))["items"])

    def apply(self, *objects: Mapping[str, Any] | str) -> str:
        """Applies objects or YAML texts and returns what kubectl says."""
        documents = [each if isinstance(each, str) else json.dumps(each) for each in objects]
        return self("apply", "--filename=-", input="\n---\n".join(documents))

    def patch(self, kind: str, name: str, change: Mapping[str, Any]) -> str:
        """Changes an object by a JSON merge patch."""
        return self("patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}")


@dataclass(frozen=True)
class Write:
    """One write as the apiserver's audit log tells it; ``body`` is what was sent, for our own group alone."""

    verb: str
    subresource: str
    namespace: str
    name: str
    code: int
    body: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Writes:
    """The writes to one namespace, oldest first."""

    cluster: Cluster
    namespace: str

    def __call__(self, user: str = OPERATOR, resource: str = "imagesources", name: str | None = None) -> list[Write]:
        """Every finished write of a user to a kind of resource, refused ones too.

        Args:
            user: The operator's, or ``admin`` for kubectl.
            resource: The plural, such as ``imagesources``, ``hubs``, ``events``.
            name: Of one object; absent: of all.
        """
        assert self.cluster.audit_log is not None
        found = []
        for line in self.cluster.audit_log.read_text().splitlines():
            event = json.loads(line)
            target = event.get("objectRef", {})
            if (
                event["user"]["username"] == user
                and event["stage"] == "ResponseComplete"
                and target.get("resource") == resource
                and target.get("namespace") == self.namespace
                and name in (None, target.get("name"))
            ):
                found.append(_write(event, target))
        return found


def _write(event: Mapping[str, Any], target: Mapping[str, Any]) -> Write:
    return Write(
        verb=event["verb"],
        subresource=target.get("subresource", ""),
        namespace=target["namespace"],
        name=target.get("name", ""),
        code=event["responseStatus"]["code"],
        body=event.get("requestObject"),
    )


def run_kubectl(cluster: Cluster, *args: str, input: str | None = None) -> str:  # noqa: A002 - subprocess's word
    """Runs kubectl outside of any test's namespace; see ``Kubectl``."""
    answer = subprocess.run(
        cluster.command(*args), input=input, capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, f"kubectl {' '.join(args)}: exit code {answer.returncode}\n{answer.stderr}"
    return answer.stdout


def install_crds(cluster: Cluster) -> None:
    """Applies ``crds/`` and waits until the apiserver serves them."""
    run_kubectl(cluster, "apply", "--server-side", f"--filename={CRDS}")
    run_kubectl(cluster, "wait", "--for=condition=Established", "--timeout=30s", f"--filename={CRDS}")


def new_namespace(cluster: Cluster) -> str:
    """Makes a namespace with a name that no other test has."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    run_kubectl(cluster, "create", "namespace", name)
    return name
