"""The threat model: what somebody who may only write ImageSources and Hubs of a namespace cannot do by way of us."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.cluster import Kubectl, new_namespace, run_kubectl
from tests.support.platform import API_KEY, SOURCES, secret
from tests.support.proxy import Fault, Proxy
from tests.support.scene import NGINX, Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane
from imagesources.resources import ALLOWED_HOSTS_ANNOTATION, GROUP, PIN_ANNOTATION

Json = dict[str, Any]
Tenant = Callable[..., str]

CANARY = "canary-of-tenants"
OTHER_HUB = "cd" * 12


@pytest.fixture(scope="module")
def guarded(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A namespace of a tenant who may write ImageSources and Hubs there, and nothing else."""
    with scene(control_plane.cluster, tmp_path_factory.mktemp("tenants")) as found:
        mine = ("--verb=*", f"--resource=imagesources.{GROUP},hubs.{GROUP}")
        found.kubectl("create", "role", "tenant", *mine)
        found.kubectl("create", "rolebinding", "tenant", "--role=tenant", "--user=tenant")
        found.operator.start()
        yield found
        found.operator.stop()


@pytest.fixture
def stage(guarded: Scene) -> Iterator[Scene]:
    """The same, with a proxy that lets everything pass again after the test."""
    yield guarded
    guarded.calls.rule = None


@pytest.fixture
def tenant(stage: Scene) -> Tenant:
    """Runs kubectl as the tenant."""

    def run(*args: str, body: Json | None = None) -> str:
        return stage.kubectl("--as=tenant", *args, input=json.dumps(body) if body else None)

    return run


@pytest.fixture
def elsewhere(stage: Scene) -> Kubectl:
    """Another namespace, of somebody else."""
    return Kubectl(stage.kubectl.cluster, new_namespace(stage.kubectl.cluster))


@pytest.fixture
def attacker() -> Iterator[Proxy]:
    """A server that waits for credentials, on a host that nobody has allowed."""
    with Proxy("http://127.0.0.1:1") as proxy:
        proxy.rule = lambda _: Fault(forward=False, answer=(200, {"data": []}))
        yield proxy


def test_rights(stage: Scene, tenant: Tenant) -> None:
    """The tenant of these tests reads no Secret and writes no status."""
    stage.create("victim")
    with pytest.raises(AssertionError, match=r"cannot get resource \"secrets\""):
        tenant("get", "secret", "default-key")
    forged = json.dumps({"status": {"id": "0" * 24}})
    with pytest.raises(AssertionError, match=r'cannot (get|patch) resource "imagesources/status"'):
        tenant("patch", "imagesource", "victim", "--subresource=status", "--type=merge", f"--patch={forged}")


def test_secret_of_another_namespace(stage: Scene, tenant: Tenant, elsewhere: Kubectl) -> None:
    """A reference has no namespace, and a Secret of the same name elsewhere is not read."""
    elsewhere.apply(secret("theirs", token=CANARY))
    ref: Json = {"name": "theirs", "key": "token"}
    for more, refused in (({"namespace": elsewhere.namespace}, True), ({}, False)):
        origin = {"type": "docker-hub", "details": {"target": "a", "tokenFrom": {"secretKeyRef": ref | more}}}
        apply = ("create", "--validate=strict", "--filename=-")
        if refused:
            with pytest.raises(AssertionError, match=r"unknown field .*secretKeyRef\.namespace"):
                tenant(*apply, body=source("reader", origin=origin))
        else:
            tenant(*apply, body=source("reader", origin=origin))
    shown = stage.reason("reader", "SecretMissing").message
    assert f"does not exist in namespace {stage.kubectl.namespace}" in shown
    stage.delete("reader")


def test_hub_of_another_namespace(stage: Scene, tenant: Tenant, elsewhere: Kubectl) -> None:
    """A Hub of another namespace cannot be named, and one of the same name there is not used."""
    elsewhere.apply(*stage.platform.hub(stage.calls.url, "theirs"))
    borrowed = source("borrower", hubRef={"name": "theirs", "namespace": elsewhere.namespace})
    with pytest.raises(AssertionError, match=r"unknown field .*hubRef\.namespace"):
        tenant("create", "--validate=strict", "--filename=-", body=borrowed)
    tenant("create", "--filename=-", body=source("borrower", hubRef={"name": "theirs"}))
    stage.reason("borrower", "HubNotFound")
    stage.delete("borrower")


@pytest.mark.parametrize("label", [None, "false"], ids=["unlabelled", "refused"])
def test_secret_without_consent(stage: Scene, tenant: Tenant, attacker: Proxy, label: str | None) -> None:
    """A Secret whose owner did not agree by the label goes neither to a registry nor to a platform."""
    name = f"private-{label or 'none'}"
    body = secret(name, apiKey=CANARY)
    body["metadata"]["labels"] = {f"{GROUP}/credentials": label} if label else {}
    stage.kubectl.apply(body)
    (_, hub) = stage.platform.hub(stage.calls.url, name)
    hub["spec"]["platform"]["apiKeyFrom"]["secretKeyRef"]["name"] = name
    tenant("create", "--filename=-", body=hub)
    assert "is not labelled" in stage.reason(name, "CredentialsMissing", resource="hub").message
    details = {
        "url": attacker.url,
        "target": "a",
        "username": "me",
        "passwordFrom": {"secretKeyRef": {"name": name, "key": "apiKey"}},
    }
    tenant("create", "--filename=-", body=source(name, origin={"type": "docker-registry", "details": details}))
    assert "is not labelled" in stage.reason(name, "SecretMissing").message
    assert [call for call in stage.calls.calls if CANARY.encode() in call.body] == []
    tenant("delete", f"imagesource/{name}", f"hub/{name}")


def bound(name: str, hosts: str, **values: str) -> Json:
    """A Secret that names the hosts that it may be sent to, to apply."""
    body = secret(name, **values)
    body["metadata"]["annotations"] = {ALLOWED_HOSTS_ANNOTATION: hosts}
    return body


def test_credential_to_a_strange_host(stage: Scene, tenant: Tenant, attacker: Proxy) -> None:
    """A credential goes only to the hosts that its owner names, also when the address of a source is changed later."""
    stage.kubectl.apply(bound("bound", "registry.example.com", token=CANARY))
    ref = {"secretKeyRef": {"name": "bound", "key": "token"}}
    details = {"url": "https://registry.example.com", "target": "web", "tokenFrom": ref}
    tenant("create", "--filename=-", body=source("faithful", origin={"type": "docker-registry", "details": details}))
    stage.ready("faithful")
    begun = len(stage.calls.calls)
    origins: tuple[Json, ...] = (
        {"type": "docker-registry", "details": details | {"url": attacker.url}},
        {"type": "docker-hub", "details": {"target": f"127.0.0.1:{attacker.port}/web", "tokenFrom": ref}},
        {
            "type": "docker-registry",
            "details": details | {"url": f"https://registry.example.com@127.0.0.1:{attacker.port}"},
        },
    )
    for origin in origins:
        tenant("replace", "--filename=-", body=source("faithful", origin=origin))
        shown = stage.reason("faithful", "SecretNotForHost").message
        assert "images.cycle.io/allowed-hosts of Secret bound does not allow it" in shown
        assert [call for call in stage.calls.calls[begun:] if CANARY.encode() in call.body] == []
    stage.kubectl.apply(bound("bound", f"registry.example.com, 127.0.0.1:{attacker.port}", token=CANARY))
    stage.ready("faithful", timeout=10)
    tenant("delete", "imagesource", "faithful")


def test_key_to_another_platform(stage: Scene, tenant: Tenant) -> None:
    """An API key whose Secret names another platform is not sent to this one, though the operator may talk to it."""
    (_, hub) = stage.platform.hub(stage.calls.url, "bound-hub")
    stage.kubectl.apply(bound("bound-hub-key", "api.cycle.io", apiKey="key-of-another-platform"))
    tenant("create", "--filename=-", body=hub)
    stage.reason("bound-hub", "SecretNotForHost", resource="hub")
    assert "url" not in stage.kubectl.get("hub", "bound-hub")["status"]
    stage.kubectl.apply(bound("bound-hub-key", f"api.cycle.io 127.0.0.1:{stage.calls.port}", apiKey=API_KEY))
    stage.reason("bound-hub", "Reachable", resource="hub")
    tenant("delete", "hub", "bound-hub")


@pytest.mark.parametrize("where", ["attacker", "metadata service", "same host by another name"])
def test_key_to_a_strange_host(stage: Scene, tenant: Tenant, attacker: Proxy, where: str) -> None:
    """A Hub cannot send its key to a host that the operator's flags do not allow."""
    name = where.replace(" ", "-")
    url = {
        "attacker": attacker.url,
        "metadata service": "http://169.254.169.254",
        "same host by another name": f"http://localhost:{stage.calls.port}",
    }[where]
    (_, hub) = stage.platform.hub(url, name)
    hub["spec"]["platform"]["apiKeyFrom"]["secretKeyRef"]["name"] = "default-key"
    tenant("create", "--filename=-", body=hub)
    said = "plain http is possible on loopback only" if where == "metadata service" else "--allow-host"
    assert said in stage.reason(name, "HostNotAllowed", resource="hub").message
    assert attacker.calls == []
    tenant("delete", "hub", name)


def test_key_in_a_header(stage: Scene) -> None:
    """A key that would be more than one header is used for nothing."""
    (_, hub) = stage.platform.hub(stage.calls.url, "split")
    before = len(stage.calls.calls)
    stage.kubectl.apply(secret("split-key", apiKey=f"{API_KEY}\r\nX-Evil: yes"), hub)
    found = wait_for(lambda: stage.condition("split", resource="hub"), what="a verdict")
    assert found
    assert found.status == "False"
    assert all(call.path.startswith(SOURCES) for call in stage.calls.calls[before:])
    stage.kubectl("delete", "hub", "split")


def test_source_of_another_hub(stage: Scene, tenant: Tenant) -> None:
    """The id of another hub's source leads nowhere: what the own key cannot see cannot be adopted."""
    theirs = "651586fca6078e98982dbd90"
    tenant("create", "--filename=-", body=source("thief", adopt={"id": theirs}))
    stage.reason("thief", "AdoptionFailed")
    tenant("delete", "imagesource", "thief")
    assert [call for call in stage.calls.calls if call.is_write and theirs in call.path] == []


def test_forged_claim(stage: Scene, tenant: Tenant) -> None:
    """Status that a tenant writes into a new resource is dropped, and a forged pin is no way to another place."""
    victim = stage.create("target-of-it")["status"]["id"]
    body = source("forger") | {"status": {"id": victim, "observedGeneration": 1}}
    tenant("create", "--filename=-", body=body)
    stage.ready("forger")
    assert stage.id_of("forger") != victim
    uid = stage.get("forger")["metadata"]["uid"]
    pin = json.dumps({"for": uid, "kind": "Hub", "name": "default", "hubId": OTHER_HUB, "url": "http://elsewhere"})
    tenant("annotate", "--overwrite", "imagesource", "forger", f"{PIN_ANNOTATION}={pin}")
    stage.edit("forger", name="Still where it was")
    stage.ready("forger")
    tenant("delete", "imagesource", "forger", "--timeout=20s")
    assert stage.platform.get(victim)["state"]["current"] == "live"


def test_adoption_of_a_claimed_source(stage: Scene, tenant: Tenant) -> None:
    """A source that another resource has is not taken over, nor deleted with the one that wanted it."""
    victim = stage.create("owner", name="Owner")["status"]["id"]
    spec = {"adopt": {"id": victim}, "deletionPolicy": "Delete", "name": "Thief"}
    tenant("create", "--filename=-", body=source("claimer", **spec))
    assert "a source has one resource" in stage.reason("claimer", "AlreadyClaimed").message
    tenant("delete", "imagesource", "claimer", "--timeout=20s")
    assert stage.platform.get(victim)["name"] == "Owner"


@pytest.mark.parametrize("spec", [{}, {"managementPolicy": "Observe"}], ids=["take over", "observe"])
def test_adoption_without_permission(
    stage: Scene, tenant: Tenant, request: pytest.FixtureRequest, spec: dict[str, str]
) -> None:
    """Where the Hub does not allow adoption, a source that was made elsewhere is neither taken over nor shown."""
    name = f"taker-{request.node.callspec.indices['spec']}"
    body = {"name": "Portal", "identifier": name, "type": "direct", "origin": NGINX}
    theirs = stage.platform("POST", SOURCES, body)["id"]
    stage.kubectl.patch("hub", "default", {"spec": {"allowAdoption": False}})
    wait_for(lambda: _is_observed(stage.kubectl.get("hub", "default")), what="the operator to see that")
    tenant("create", "--filename=-", body=source(name, adopt={"identifier": name}, deletionPolicy="Delete", **spec))
    stage.reason(name, "AdoptionNotAllowed", "Stalled")
    assert theirs not in str(stage.get(name))
    stage.kubectl.patch("hub", "default", {"spec": {"allowAdoption": None}})
    stage.ready(name)
    assert stage.id_of(name) == theirs


def _is_observed(resource: Json) -> bool:
    """Whether the operator has seen the newest spec."""
    return bool(resource["status"]["observedGeneration"] == resource["metadata"]["generation"])


def test_marker_of_another(stage: Scene, tenant: Tenant) -> None:
    """Nobody can give a source the mark by which the operator knows another resource's."""
    uid = stage.create("marked")["metadata"]["uid"]
    with pytest.raises(AssertionError, match="is the operator's own"):
        tenant("create", "--filename=-", body=source("marker", identifier=f"k8s-{uid}"))


def test_borrowed_credentials(stage: Scene, tenant: Tenant) -> None:
    """Another's source, and with it another's credentials, cannot be named by id where the Hub does not allow it."""
    lender = stage.create("lender")["status"]["id"]
    details = {"target": "a", "existing": {"sourceId": lender}}
    tenant("create", "--filename=-", body=source("by-id", origin={"type": "docker-hub", "details": details}))
    stage.reason("by-id", "SourceIdNotAllowed")
    looks = {"managementPolicy": "Observe", "adopt": {"id": lender}}
    tenant("create", "--filename=-", body=source("looks", **looks))
    stage.reason("looks", "Observed")
    details = {"target": "a", "existing": {"sourceRef": {"name": "looks"}}}
    tenant("create", "--filename=-", body=source("by-looks", origin={"type": "docker-hub", "details": details}))
    assert "only observes" in stage.reason("by-looks", "SourceIdNotAllowed").message
    tenant("delete", "imagesource", "by-id", "looks", "by-looks")


def test_nothing_echoes(stage: Scene) -> None:
    """A platform that throws credentials back, in errors, names and fields, gets none of them shown."""
    stage.kubectl.apply(secret("echoed", token=CANARY))
    ref = {"secretKeyRef": {"name": "echoed", "key": "token"}}
    error = {"status": 422, "code": "422.invalid-input", "title": CANARY, "detail": CANARY, "source": f"/{CANARY}"}
    stage.calls.rule = lambda call: (
        Fault(forward=False, answer=(422, {"data": None, "error": error | {"extra": {"capability": CANARY}}}))
        if call.method == "POST"
        else None
    )
    origin = {"type": "docker-hub", "details": {"target": "nginx:1", "username": "ci", "tokenFrom": ref}}
    stage.kubectl.apply(source("echo", origin=origin))
    stage.reason("echo", "Refused")
    stage.calls.rule = None
    stage.edit("echo", name="Echo")
    stage.ready("echo")
    source_id = stage.id_of("echo")
    wait_for(lambda: len(stage.told("echo")) == 2, what="the Events")
    shown = [
        run_kubectl(stage.kubectl.cluster, "get", "--all-namespaces", f"imagesources,hubs,{kind}", "--output=yaml")
        for kind in ("events.events.k8s.io",)
    ]
    shown += [stage.operator.log.read_text(), stage.operator.metrics(), str([each.body for each in stage.writes()])]
    assert [text for text in shown if CANARY in text or API_KEY in text] == []
    assert stage.platform.get(source_id)["origin"]["details"]["token"] == CANARY
    assert [call.path for call in stage.calls.calls if "include" in call.path] == []


def test_paths_are_ids(tenant: Tenant) -> None:
    """What becomes a part of a path is an id, and nothing that climbs."""
    for path in ("../../hubs/current", "0" * 23 + "/", "%2e%2e"):
        with pytest.raises(AssertionError, match=r"an id is 24 lowercase hexadecimal digits|may not be more than 24"):
            tenant("create", "--filename=-", body=source("climber", origin=NGINX, adopt={"id": path}))
