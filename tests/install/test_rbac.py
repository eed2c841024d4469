"""The operator's rights are exactly what it does: the roles of the chart against the audit log of a run under them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.install.values import EVERYBODY, HOME, SCOPES
from tests.support.cluster import Kubectl, Writes, run_kubectl
from tests.support.helm import rendered
from tests.support.platform import HUB_ID, Platform, secret
from tests.support.process import OperatorProcess
from tests.support.proxy import Call, Fault, Proxy, apiserver_proxy, behind
from tests.support.scene import QUICK, Scene
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, free_ports
from imagesources.controlplane.cluster import write_kubeconfig
from imagesources.kube.doctor.permissions import needed
from imagesources.settings import Settings

Json = dict[str, Any]

RELEASE = "iso-imagesource-operator"
SHARD: Json = SCOPES["namespaced"] | {"shardSelector": "example.com/shard notin (b, c)"}
FOR_EVERYBODY = {"authorization.k8s.io", "authentication.k8s.io"}
"""Groups of reviews about oneself, which the doctor asks for and every user may."""


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource; ``namespace`` is empty for the whole cluster, ``name`` for any object."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""


def granted(objects: list[Json]) -> set[Right]:
    """The rights in the roles that are bound."""
    bound = {each["roleRef"]["name"] for each in objects if each["kind"].endswith("RoleBinding")}
    return {
        Right(role["metadata"].get("namespace", ""), group, resource, verb, name)
        for role in objects
        if role["kind"] in ("Role", "ClusterRole") and role["metadata"]["name"] in bound
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


@dataclass(frozen=True)
class Release:
    """The chart's objects, applied as far as they are about rights, and how its operator is started.

    Attributes:
        cluster: with the kubeconfig of the ServiceAccount as the operator's.
        served: the namespaces that are served; none: all.
        since: lines of the audit log before.
    """

    cluster: Cluster
    objects: list[Json]
    served: tuple[str, ...]
    since: int

    @property
    def user(self) -> str:
        """What the audit log calls the ServiceAccount."""
        return f"system:serviceaccount:{HOME}:{RELEASE}"

    def used(self) -> dict[Right, set[int]]:
        """What the account did, and with which answers."""
        found: dict[Right, set[int]] = {}
        for event in map(json.loads, _audited(self.cluster)[self.since :]):
            target = event.get("objectRef", {})
            group = target.get("apiGroup", "")
            if event["user"]["username"] == self.user and target.get("resource") and group not in FOR_EVERYBODY:
                found.setdefault(self._right(event["verb"], group, target), set()).add(event["responseStatus"]["code"])
        return found

    def _right(self, verb: str, group: str, target: Json) -> Right:
        is_lease = group == "coordination.k8s.io"
        resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
        name = target["name"] if is_lease and verb != "create" else ""
        return Right(target.get("namespace", "") if is_lease or self.served else "", group, resource, verb, name)

    def flags(self, folder: Path) -> list[str]:
        """The flags of the operator; the address is the test's."""
        command, *flags = self.arguments("Deployment", folder)
        assert command == "run"
        return [flag for flag in flags if not flag.startswith("--listen=")]

    def arguments(self, kind: str, folder: Path) -> list[str]:
        """The command and flags in the Pod of an object, with the default hub's file in a folder."""
        (found,) = (each["spec"] for each in self.objects if each["kind"] == kind)
        (config,) = (each for each in self.objects if each["kind"] == "ConfigMap")
        (container,) = found.get("template", {"spec": found})["spec"]["containers"]
        ((name, text),) = config["data"].items()
        folder.joinpath(name).write_text(text)
        return [argument.replace("/etc/imagesource-operator/", f"{folder}/") for argument in container["args"]]


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address where nobody answers, the same for all, as a default hub that is there stays as it is."""
    return f"https://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(params=["cluster", "namespaced", "shard"])
def release(cluster: Cluster, tmp_path: Path, nobody: str, request: pytest.FixtureRequest) -> Iterator[Release]:
    """The chart with a default hub that nobody answers for: cluster-wide, for two namespaces, as a shard of these."""
    platform = {"url": nobody, "hubId": HUB_ID}
    hub = {"platform": platform | {"apiKeySecret": {"name": "cycle", "key": "apiKey"}}, "allowedNamespaces": EVERYBODY}
    scope = (SCOPES | {"shard": SHARD})[request.param]
    objects = rendered(f"--namespace={HOME}", hub=hub, crds={"protect": False}, **scope)
    about_rights = [each for each in objects if each["kind"].startswith(("ServiceAccount", "Role", "ClusterRole"))]
    text = yaml.safe_dump_all(about_rights)
    run_kubectl(cluster, "apply", "--filename=-", input=text)
    Kubectl(cluster, HOME).apply(secret("cycle", apiKey="key"))
    token = run_kubectl(cluster, "create", "token", RELEASE, f"--namespace={HOME}").strip()
    config = json.loads(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    account = tmp_path / "account.kubeconfig"
    certificate = cluster.folder / "certs" / "apiserver.crt"
    write_kubeconfig(account, config["server"], certificate.read_bytes(), RELEASE, token)
    cluster = replace(cluster, operator_kubeconfig=account)
    run_kubectl(cluster, "delete", "leases", "--all", f"--namespace={HOME}")
    yield Release(cluster, objects, tuple(scope.get("namespaces", ())), len(_audited(cluster)))
    run_kubectl(cluster, "delete", "--filename=-", input=text)


def _audited(cluster: Cluster) -> list[str]:
    assert cluster.audit_log
    return cluster.audit_log.read_text().splitlines()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform."""
    with Platform(tmp_path, "--step-seconds=0.02") as running:
        yield running


def _conflict_once() -> Any:
    """Answers the first write to a resource by a conflict, upon which the operator reads it."""
    left = [1]

    def rule(call: Call) -> Fault | None:
        if call.method == "PATCH" and "/imagesources/" in call.path and left:
            left.pop()
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409}
            return Fault(forward=False, answer=(409, status))
        return None

    return rule


def test_rights_are_those_used(release: Release, platform: Platform, tmp_path: Path) -> None:
    """A run that does all that the operator does is refused nothing, and leaves no right unused."""
    with apiserver_proxy(release.cluster) as api:
        cluster = behind(api, release.cluster, tmp_path)
        host = f"--allow-host={platform.url.removeprefix('http://')}"
        flags = [*release.flags(tmp_path), "--embedded-database=", f"--operator-namespace={HOME}", host, *QUICK]
        with OperatorProcess(cluster, tmp_path, *flags) as operator:
            operator.start()
            default = "hub" if release.served else "clusterhub"
            Scene(Kubectl(cluster, HOME), Writes(cluster, HOME), platform, api, operator).reason(
                "default", "PlatformUnreachable", resource=default
            )
            for namespace in release.served or ("team-a",):
                for shared in (False,) if release.served else (False, True):
                    _whole_life(Kubectl(cluster, namespace), platform, operator, api, shared=shared)
            assert "may not" not in _run("Pod", release, cluster, tmp_path)
            assert "it can be removed" in _run("Job", release, cluster, tmp_path)
            operator.stop()
    used = release.used()
    assert {right: codes for right, codes in used.items() if codes & {401, 403}} == {}
    assert granted(release.objects) == set(used)


def _whole_life(kubectl: Kubectl, platform: Platform, operator: OperatorProcess, api: Proxy, *, shared: bool) -> None:
    """A hub and a source come, change and go."""
    scene = Scene(kubectl, Writes(kubectl.cluster, kubectl.namespace), platform, api, operator, api)
    api.rule = _conflict_once()
    kind = "ClusterHub" if shared else "Hub"
    key, hub = platform.hub(name="here", **({"allowedNamespaces": EVERYBODY} if shared else {}))
    Kubectl(kubectl.cluster, HOME if shared else kubectl.namespace).apply(key, hub | {"kind": kind})
    scene.create("web", hubRef={"kind": kind, "name": "here"})
    scene.edit("web", name="Another")
    scene.ready("web")
    wait_for(lambda: scene.told("web"), what="an Event")
    scene.delete("web")
    kubectl("delete", kind, "here", "--timeout=30s")


def _run(kind: str, release: Release, cluster: Cluster, folder: Path) -> str:
    """What the Pod of the chart's test or of its Job says, run as the ServiceAccount."""
    argv = [sys.executable, "-m", "imagesources", *release.arguments(kind, folder)]
    env = os.environ | {"KUBECONFIG": str(cluster.operator_kubeconfig), "POD_NAMESPACE": HOME}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=180).stdout


@pytest.mark.parametrize("shard", ["", "example.com/shard=a"])
@pytest.mark.parametrize("namespaces", [(), (HOME,), ("team-a", HOME)])
def test_rights_are_those_the_doctor_looks_for(namespaces: tuple[str, ...], shard: str) -> None:
    """The doctor's table and the chart's rules are the same, down to the Leases' names."""
    settings = Settings(namespaces=namespaces, leader_elect=True, lease_name=RELEASE, shard_selector=shard)
    table = {
        Right(namespace, permission.group, permission.resource, verb, name)
        for permission, namespace, name in needed(namespaces, HOME, settings.leases)
        for verb in permission.verbs
    }
    assert granted(rendered(f"--namespace={HOME}", namespaces=namespaces, shardSelector=shard)) == table
