"""The CRDs on a real apiserver: what they accept, what they refuse, and in which words."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from tests.support.cluster import CRDS, Kubectl, new_namespace
from tests.support.schema_cases import (
    ACCEPTED,
    ACL,
    ID,
    IMMUTABLE,
    NGINX,
    NONE,
    PLATFORM,
    REFUSED,
    Json,
    Refused,
    hub,
    origin,
    source,
)

from imagesources.controlplane import ControlPlane

DRY_RUN = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
"""Ask the apiserver for its opinion; nothing is stored."""


@pytest.fixture(scope="module")
def apply(control_plane: ControlPlane) -> Kubectl:
    """Runs kubectl in one namespace for all cases: they are validated by the apiserver and not stored."""
    return Kubectl(control_plane.cluster, new_namespace(control_plane.cluster))


def test_accepted(apply: Kubectl) -> None:
    """Everything that a person may write is accepted, under strict validation."""
    apply(*DRY_RUN, input="\n---\n".join(map(json.dumps, ACCEPTED.values())))


def test_accepted_is_everything() -> None:
    """The accepted objects use every field that there is."""
    used = {(each["kind"], path) for each in ACCEPTED.values() for path in _paths(each["spec"])}
    known = {(kind, path) for kind, schema in _schemas().items() for path in _leaves(schema["properties"]["spec"])}
    clusterhub_like_hub = {("ClusterHub", path) for kind, path in used if kind == "Hub"}
    assert known - used - clusterhub_like_hub == set()


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(apply: Kubectl, case: Refused) -> None:
    """What breaks a rule is refused with the field and with words that say what to do."""
    with pytest.raises(AssertionError) as refused:
        apply(*DRY_RUN, input=json.dumps(case.body))
    assert f"{case.field}: " in str(refused.value)
    assert case.message in str(refused.value)


def test_refused_is_everything() -> None:
    """Each rule of the CRDs is broken by some case."""
    said = [*IMMUTABLE, *(case.message for case in REFUSED.values())]
    rules = {rule["message"] for schema in _schemas().values() for rule in _rules(schema)}
    assert {rule for rule in rules if not any(words in rule for words in said)} == set()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (source(NGINX, nmae="Web"), "spec.nmae"),
        (source(origin("docker-hub", tagret="nginx")), "spec.origin.details.tagret"),
        (source(origin("docker-hub", token="plain")), "spec.origin.details.token"),
        (hub(embedded={"path": "/data"}), "spec.embedded.path"),
        (hub(platform=PLATFORM | {"apiKey": "plain"}), "spec.platform.apiKey"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unknown_field(apply: Kubectl, body: Json, field: str) -> None:
    """A typo is refused with the name of the field, by apply as people use it."""
    with pytest.raises(AssertionError, match=re.escape(f'unknown field "{field}"')):
        apply.apply(body)


@pytest.mark.parametrize(
    "change", [{"type": "bucket"}, {"type": None, "managementPolicy": "Observe", "adopt": {"id": ID}}]
)
def test_type_is_immutable(kubectl: Kubectl, change: Json) -> None:
    """The type can neither be changed nor removed, other fields can."""
    kubectl.apply(source(NGINX))
    kubectl.patch("imagesource", "case", {"spec": {"origin": {"details": {"target": "nginx:1.30"}}}})
    with pytest.raises(AssertionError, match=r"spec\.type: .*type is immutable; to have another type"):
        kubectl.patch("imagesource", "case", {"spec": change})


def test_type_is_given_later(kubectl: Kubectl) -> None:
    """Where a source was only observed, the type comes with its management."""
    kubectl.apply(ACCEPTED["observe"])
    with pytest.raises(AssertionError, match=r"spec\.type: .*type is required"):
        kubectl.patch("imagesource", "case", {"spec": {"managementPolicy": "Manage"}})
    kubectl.patch("imagesource", "case", {"spec": {"managementPolicy": "Manage", "type": "direct", "origin": NONE}})


@pytest.mark.parametrize(
    "change",
    [
        {"platform": {"hubId": ID[::-1]}},
        {"platform": {"url": "https://other.example.com"}},
        {"platform": None, "embedded": {}},
    ],
    ids=["hubId", "url", "embedded"],
)
def test_hub_is_immutable_while_pinned(kubectl: Kubectl, change: Json) -> None:
    """While sources belong to a hub its place cannot change, not even by way of another kind of platform."""
    kubectl.apply(hub(platform=PLATFORM))
    _pinned(kubectl, 1)
    with pytest.raises(AssertionError, match=r"spec\.platform: .*immutable while ImageSources belong to this hub"):
        kubectl.patch("hub", "case", {"spec": change})
    kubectl.patch("hub", "case", {"spec": {"platform": {"apiKeyFrom": {"secretKeyRef": {"name": "b", "key": "c"}}}}})
    _pinned(kubectl, 0)
    kubectl.patch("hub", "case", {"spec": change})


def _pinned(kubectl: Kubectl, count: int) -> None:
    change = {"status": {"sources": {"pinned": count}}}
    kubectl("patch", "hub", "case", "--subresource=status", "--type=merge", f"--patch={json.dumps(change)}")


@pytest.mark.parametrize("body", [source(NGINX), hub(embedded={})], ids=lambda body: body["kind"])
def test_nothing_is_observed_yet(kubectl: Kubectl, body: Json) -> None:
    """A new object says that no generation was looked at, so that nothing takes it for ready."""
    kubectl.apply(body)
    assert kubectl.get(body["kind"], "case")["status"] == {"observedGeneration": -1, "conditions": []}


def test_acl_has_one_owner(kubectl: Kubectl) -> None:
    """Two server-side appliers never mix their access lists into a third one."""
    mine, theirs = (json.dumps(source(NGINX, acl=acl)) for acl in (ACL, {"unrestricted": True}))
    kubectl("apply", "--server-side", "--filename=-", input=mine)
    other = ("apply", "--server-side", "--field-manager=other", "--filename=-")
    with pytest.raises(AssertionError, match=r"conflict.*\.spec\.acl"):
        kubectl(*other, input=theirs)
    kubectl(*other, "--force-conflicts", input=theirs)
    assert kubectl.get("imagesource", "case")["spec"]["acl"] == {"unrestricted": True}


@pytest.mark.parametrize("kind", ["ImageSource", "Hub", "ClusterHub"])
def test_explain(apply: Kubectl, kind: str) -> None:
    """Every field is known to kubectl explain and has a description."""
    schema = _schemas()[kind]
    for part in ("spec", "status"):
        explained = set(
            re.findall(r"^ +(\w+)\t<", apply("explain", f"{kind}.{part}", "--recursive"), flags=re.MULTILINE)
        )
        described = dict(_described(schema["properties"][part], part))
        assert {path.split(".")[-1] for path in described if "." in path} == explained
        assert [path for path, text in described.items() if not text] == []


def _schemas() -> dict[str, Json]:
    """The checked-in schema of each kind."""
    found = {}
    for path in CRDS.glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        found[definition["names"]["kind"]] = definition["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def _below(schema: Json) -> Iterator[tuple[str, Json]]:
    """The schemas inside of a schema; what has no name of its own goes by ``*``."""
    yield from schema.get("properties", {}).items()
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield "*", schema[key]


def _rules(schema: Json) -> Iterator[Json]:
    yield from schema.get("x-kubernetes-validations", [])
    for _, part in _below(schema):
        yield from _rules(part)


def _leaves(schema: Json, path: str = "spec") -> Iterator[str]:
    parts = list(_below(schema))
    if not parts:
        yield path
    for name, part in parts:
        yield from _leaves(part, f"{path}.{name}")


def _paths(value: object, path: str = "spec") -> Iterator[str]:
    """The paths of everything in a value, entries of lists and maps by ``*`` too."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from _paths(part, f"{path}.{name}")
        yield from _paths(part, f"{path}.*")


def _described(schema: Json, path: str) -> Iterator[tuple[str, str]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part.get("description", "")
        yield from _described(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _described(schema[key], path)
