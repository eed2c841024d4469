"""The doctor: it finds what is wrong, says what to do, and tells no secret."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.cluster import CRDS, Kubectl, install_crds, new_namespace, run_kubectl
from tests.support.platform import API_KEY
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.cli.doctor import doctor
from imagesources.controlplane import Cluster, ControlPlane, find_programs
from imagesources.kube.doctor.permissions import Scope, needed
from imagesources.resources import CREDENTIALS_LABEL, FINALIZER

Json = dict[str, Any]
TOKEN = "the-token-that-nobody-may-see"


@dataclass(frozen=True)
class Report:
    """What the doctor said."""

    code: int
    findings: tuple[tuple[str, str, str, str], ...]
    """Level, check, message, remedy."""

    def at(self, check: str, level: str) -> list[str]:
        """The messages of one check at one level."""
        return [message for found, about, message, _ in self.findings if (about, found) == (check, level)]


def examine(cluster: Cluster, *flags: str) -> Report:
    """Runs the doctor as the administrator; whatever it says must not hold a secret."""
    answer = CliRunner().invoke(doctor, [f"--kubeconfig={cluster.kubeconfig}", "--output=json", *flags])
    assert TOKEN not in answer.output
    assert API_KEY not in answer.output
    said = json.loads(answer.stdout)
    assert said["healthy"] == (answer.exit_code == 0), answer.stderr
    return Report(answer.exit_code, tuple(tuple(finding.values()) for finding in said["findings"]))


@pytest.fixture(scope="module")
def ward(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A namespace whose operator runs with leader election in it."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("doctor")) as found:
        home = found.kubectl.namespace
        alone = ("--embedded-database=", "--leader-elect", f"--operator-namespace={home}", "--lease-name=doctor")
        found.operator.start(*alone)
        yield found
        found.operator.stop()


def visit(ward: Scene, *flags: str) -> Report:
    """Examines the ward, with the flags of its operator."""
    namespace = ward.kubectl.namespace
    mine = (f"--namespace={namespace}", f"--operator-namespace={namespace}", "--lease-name=doctor", "--leader-elect")
    mine += ("--allow-http",)
    return examine(ward.kubectl.cluster, *mine, f"--allow-host={ward.calls.url.removeprefix('http://')}", *flags)


def test_healthy(ward: Scene) -> None:
    """Where all is well, every line is ok and the exit code 0."""
    ward.create("well")
    report = visit(ward, "--strict")
    assert report.code == 0, report
    assert {level for level, *_ in report.findings} == {"ok"}
    checks = [check for _, check, *_ in report.findings]
    assert set(checks) == {"apiserver", "clock", "crds", "rights", "lease", "hub", "platform", "sources", "secrets"}
    assert any("InSync" in message for message in report.at("sources", "ok"))


def test_for_people(ward: Scene) -> None:
    """As text, each finding is a line with its level and check, and a remedy stands below what needs one."""
    ward.kubectl.apply(_naming_a_secret("unread", "missing"))
    ward.reason("unread", "SecretMissing")
    command = [sys.executable, "-m", "imagesources", "doctor", f"--kubeconfig={ward.kubectl.cluster.kubeconfig}"]
    command += [f"--namespace={ward.kubectl.namespace}", "--lease-name=doctor"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("ok    apiserver  Kubernetes v1.")
    at = next(number for number, line in enumerate(lines) if line.startswith("warn  secrets"))
    assert any("→ Create the Secret" in line for line in lines[at : at + 4])
    assert answer.returncode == 0
    ward.delete("unread")


@pytest.mark.parametrize(
    ("labels", "data", "message"),
    [
        (None, None, "Secret missing does not exist"),
        ({}, {"token": TOKEN}, "is not labelled"),
        ({CREDENTIALS_LABEL: "true"}, {"other": TOKEN}, "has no key token"),
    ],
)
def test_secrets_of_sources(ward: Scene, labels: Json | None, data: Json | None, message: str) -> None:
    """A Secret that a source names and that cannot be used is found, by name and with what is wrong."""
    if data:
        ward.kubectl.apply(_secret("missing", data, labels or {}))
    ward.kubectl.apply(_naming_a_secret("poor", "missing"))
    report = visit(ward)
    assert any(message in found and "/poor" in found for found in report.at("secrets", "warn")), report
    ward.delete("poor")
    ward.kubectl("delete", "secret", "missing", "--ignore-not-found")


def test_stuck_and_deleted(ward: Scene) -> None:
    """A stalled source is named with its reason; one whose deletion takes long with what holds it."""
    ward.create("twin", identifier="twin")
    ward.kubectl.apply(source("thief", adopt={"id": ward.id_of("twin")}))
    ward.reason("thief", "AlreadyClaimed")
    (found,) = visit(ward).at("sources", "warn")
    assert found.startswith("AlreadyClaimed: ")
    assert "/thief: " in found
    assert visit(ward, "--strict").code == 1
    ward.delete("thief")


def test_hub_in_trouble(ward: Scene) -> None:
    """A Hub whose platform is away, seen by the operator and from here, waits for somebody; the operator works."""
    ward.calls.cut()
    wait_for(lambda: any("PlatformUnreachable" in m for m in visit(ward).at("hub", "warn")), what="the hub to be down")
    report = visit(ward, "--strict")
    assert report.code == 1
    assert visit(ward).code == 0
    assert ["PlatformUnreachable" in message for message in report.at("platform", "warn")] == [True]
    ward.calls.mend()
    wait_for(lambda: visit(ward, "--strict").code == 0, what="it to be well again")


def test_key_of_hub(ward: Scene) -> None:
    """A Hub whose Secret is missing is named, and the platform is not asked."""
    hub = ward.kubectl.get("hub", "default")
    hub["metadata"] = {"name": "keyless"}
    hub["spec"]["platform"]["apiKeyFrom"]["secretKeyRef"]["name"] = "nowhere"
    hub.pop("status")
    ward.kubectl.apply(hub)
    ward.reason("keyless", "CredentialsMissing", resource="hub")
    report = visit(ward)
    assert any("keyless: CredentialsMissing" in message for message in report.at("platform", "warn"))
    assert any("keyless: CredentialsMissing" in message for message in report.at("hub", "warn"))
    ward.kubectl("delete", "hub", "keyless", "--timeout=30s")


def test_default_hub(ward: Scene, tmp_path: Path) -> None:
    """Where the default hub is not as the installation has it, the fields are named; others are a person's own."""
    spec = ward.kubectl.get("hub", "default")["spec"]
    path = tmp_path / "hub.yaml"
    path.write_text(json.dumps({"spec": {"platform": spec["platform"]}}))
    assert visit(ward, f"--default-hub={path}").at("hub", "warn") == []
    path.write_text(json.dumps({"spec": {"platform": spec["platform"] | {"hubId": "a1" * 12}}}))
    (message,) = visit(ward, f"--default-hub={path}").at("hub", "warn")
    assert message.endswith("/default differs from the installation's in spec.platform")


def test_host_not_allowed_from_here(ward: Scene) -> None:
    """Without the operator's --allow-host no key is sent anywhere: that is said, and is no failure."""
    asked = len(ward.calls.calls)
    namespace = ward.kubectl.namespace
    report = examine(ward.kubectl.cluster, f"--namespace={namespace}", f"--operator-namespace={namespace}")
    assert report.at("lease", "ok") == [
        "not looked at without --leader-elect: whether an operator runs was not checked"
    ]
    assert any("not asked from here" in message for message in report.at("platform", "warn"))
    assert [call for call in ward.calls.calls[asked:] if "page%5Bsize%5D=1&" in call.path] == []
    visit(ward)
    assert [call for call in ward.calls.calls[asked:] if "page%5Bsize%5D=1&" in call.path]


@pytest.mark.parametrize(
    ("holder", "age", "level", "says"),
    [
        ("pod-1", 3600, "FAIL", "has not renewed"),
        ("", 0, "FAIL", "nobody holds"),
        ("pod-1", 0, "ok", "pod-1 holds"),
        (None, 0, "warn", "there is no Lease"),
    ],
)
def test_lease(control_plane: ControlPlane, holder: str | None, age: int, level: str, says: str) -> None:
    """A Lease that is not there, free, or not renewed tells that no operator works."""
    home = Kubectl(control_plane.cluster, new_namespace(control_plane.cluster))
    if holder is not None:
        renewed = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "of-a-test"}}
        home.apply(lease | {"spec": spec})
    flags = (f"--namespace={home.namespace}", f"--operator-namespace={home.namespace}", "--lease-name=of-a-test")
    flags += ("--leader-elect",)
    (message,) = examine(control_plane.cluster, *flags).at("lease", level)
    assert says in message


def test_shard(ward: Scene) -> None:
    """A shard has a second Lease, and only its own sources are looked at."""
    ward.kubectl.apply(_naming_a_secret("theirs", "missing"))
    report = visit(ward, "--shard-selector=shard=a")
    assert report.at("secrets", "warn") == []
    (message,) = report.at("lease", "warn")
    assert message.startswith("there is no Lease imagesource-operator-hubs-")
    ward.delete("theirs")


def test_rights(control_plane: ControlPlane) -> None:
    """Each right that the operator's account lacks is named; with a Role of the table none is."""
    home = Kubectl(control_plane.cluster, new_namespace(control_plane.cluster))
    namespace = home.namespace
    flags = (f"--namespace={namespace}", f"--operator-namespace={namespace}", f"--account={namespace}:op")
    flags += ("--lease-name=of-a-test", "--leader-elect")
    wanted = list(needed((namespace,), namespace, ("of-a-test",)))
    denied = examine(control_plane.cluster, *flags).at("rights", "FAIL")
    assert len(denied) == len(wanted) == 8
    assert f"system:serviceaccount:{namespace}:op may not patch imagesources/status in namespace {namespace}" in denied
    rules = [{"apiGroups": [p.group], "resources": [p.resource], "verbs": list(p.verbs)} for p, *_ in wanted]
    rules[-2]["resourceNames"] = ["of-a-test"]
    home.apply(_role(rules), _binding(namespace))
    assert examine(control_plane.cluster, *flags).at("rights", "FAIL") == []
    assert all(p.scope is not Scope.CLUSTER for p, *_ in wanted)


def test_crds(control_plane: ControlPlane) -> None:
    """CRDs that are missing, or of an older version, are a failure that names what they lack, and what helps."""
    assert control_plane
    with ControlPlane(find_programs(print)) as fresh:
        assert "is not served" in examine(fresh.cluster).at("crds", "FAIL")[0]
        install_crds(fresh.cluster)
        wait_for(lambda: len(examine(fresh.cluster).at("crds", "ok")) == 3, what="the CRDs to be published")
        _age(fresh.cluster, CRDS / "images.cycle.io_imagesources.yaml")
        lacking = "imagesources.images.cycle.io is of another version: it lacks spec.suspend"
        wait_for(lambda: examine(fresh.cluster).at("crds", "FAIL") == [lacking], what="the older CRD to be served")
        (remedy,) = {remedy for *_, message, remedy in examine(fresh.cluster).findings if message == lacking}
        kubectl, *command = remedy.replace("crds/", str(CRDS)).split()
        assert kubectl == "kubectl"
        run_kubectl(fresh.cluster, *command)


def test_no_cluster(tmp_path: Path) -> None:
    """An apiserver that does not answer is the one finding."""
    nowhere = {
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {}}],
    }
    context = {"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "me"}}]}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **nowhere, **context}))
    command = [sys.executable, "-m", "imagesources", "doctor", "--kubeconfig"]
    answer = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, timeout=120)
    assert answer.stdout.startswith("FAIL  apiserver  the Kubernetes API does not answer")
    assert answer.returncode == 1


def test_deletion_held_by_others(ward: Scene) -> None:
    """A resource that is being deleted for long is named with the finalizer of others that holds it."""
    ward.create("held")
    ward.kubectl.patch("imagesource", "held", {"metadata": {"finalizers": ["example.com/other", FINALIZER]}})
    ward.kubectl("delete", "imagesource", "held", "--wait=false")
    wait_for(lambda: FINALIZER not in ward.get("held")["metadata"]["finalizers"], what="the operator to let go")
    report = visit(ward)
    assert report.at("deletion", "warn") == []  # not yet: it takes five minutes to look stuck
    ward.kubectl.patch("imagesource", "held", {"metadata": {"finalizers": None}})


def _age(cluster: Cluster, path: Path) -> None:
    """Applies a CRD as an older version had it: without spec.suspend."""
    found = json.loads(run_kubectl(cluster, "create", "--dry-run=client", "--output=json", f"--filename={path}"))
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["suspend"]
    run_kubectl(cluster, "replace", "--filename=-", input=json.dumps(found))


def _secret(name: str, data: Json, labels: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "stringData": data}


def _naming_a_secret(name: str, secret: str) -> Json:
    token = {"secretKeyRef": {"name": secret, "key": "token"}}
    return source(name, origin={"type": "docker-hub", "details": {"target": "nginx", "tokenFrom": token}})


def _role(rules: list[Json]) -> Json:
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    return kind | {"metadata": {"name": "op"}, "rules": rules}


def _binding(namespace: str) -> Json:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "op"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "op"},
        "subjects": [{"kind": "ServiceAccount", "name": "op", "namespace": namespace}],
    }
