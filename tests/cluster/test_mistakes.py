"""What people do wrong: each mistake has a condition that says what to do, and heals by itself once it is mended."""

import pytest
from tests.support.platform import API_KEY, SOURCES, secret
from tests.support.proxy import refusal
from tests.support.scene import Scene, is_list, source
from tests.support.waiting import wait_for

from imagesources.resources import CREDENTIALS_LABEL

LABEL = {"labels": {CREDENTIALS_LABEL: "true"}}


def private(name: str, key: str = "password") -> dict[str, object]:
    """An origin with a password from a Secret."""
    details = {
        "url": "https://registry.example.com",
        "target": "shop/billing:2.4",
        "username": "ci",
        "passwordFrom": {"secretKeyRef": {"name": name, "key": key}},
    }
    return {"type": "docker-registry", "details": details}


def password(stage: Scene, name: str) -> str:
    """The password that the platform has."""
    found = stage.seen(name)["origin"]["details"]["password"]
    return str(found)


def hub_of(stage: Scene, name: str, **platform: object) -> list[dict[str, object]]:
    """A Hub of this name with another setting of its platform."""
    key, hub = stage.platform.hub(stage.calls.url, name)
    hub["spec"]["platform"] |= platform
    return [key, hub]


def told_of(stage: Scene, name: str, kind: str) -> list[str]:
    """The reasons of the Events about one object, oldest first."""
    events = stage.kubectl.list("events.events.k8s.io")
    about = [each for each in events if (each["regarding"]["kind"], each["regarding"]["name"]) == (kind, name)]
    return [each["reason"] for each in sorted(about, key=lambda each: each["eventTime"])]


def use(stage: Scene, name: str, hub: str) -> None:
    """Applies a source of a hub."""
    stage.kubectl.apply(source(name, hubRef={"name": hub}))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"origin": {"type": "docker-hub", "details": {"tagret": "nginx"}}}, "spec.origin.details.tagret"),
        ({"nmae": "Web"}, "spec.nmae"),
        ({"type": "dircet"}, "spec.type"),
        ({"origin": {"type": "docker-hub", "details": {"url": "x"}}}, "spec.origin"),
        ({"acl": {"roles": {"owner": {"view": True}}}}, "spec.acl.roles"),
    ],
)
def test_typo(stage: Scene, spec: dict[str, object], field: str) -> None:
    """A typo is refused by the apiserver with a message that names the field."""
    with pytest.raises(AssertionError, match=field):
        stage.kubectl.apply(source("typo", **spec))


def test_secret_of_the_origin(stage: Scene) -> None:
    """A missing Secret, label or key is named, and once it is there the source follows within seconds."""
    stage.kubectl.apply(source("secret", origin=private("registry")))
    shown = stage.reason("secret", "SecretMissing").message
    assert shown.startswith("spec.origin.details.passwordFrom: Secret registry does not exist in namespace")
    unlabelled = secret("registry", other="x")
    del unlabelled["metadata"]["labels"]
    stage.kubectl.apply(unlabelled)
    stage.kubectl("annotate", "imagesource", "secret", "images.cycle.io/requestedAt=now")
    wait_for(lambda: "is not labelled" in stage.reason("secret", "SecretMissing").message, what="the missing label")
    stage.kubectl.apply(secret("registry", other="x"))
    wait_for(lambda: "has no key password" in stage.reason("secret", "SecretMissing").message, what="the missing key")
    assert stage.platform.sources(name="secret") == []
    stage.kubectl.apply(secret("registry", password="hunter2"))
    stage.ready("secret", timeout=5)
    assert password(stage, "secret") == "hunter2"


def test_changed_secret(stage: Scene) -> None:
    """A changed Secret reaches the platform within seconds, by one PATCH of the origin, and is shown nowhere."""
    canary = "canary-5cd0e1"
    stage.kubectl.apply(secret("rotated", password=f"{canary}-old"))
    stage.create("rotated", origin=private("rotated"))
    with stage.spending("rotated") as spent:
        stage.kubectl.apply(secret("rotated", password=f"{canary}-new"))
        wait_for(lambda: password(stage, "rotated") == f"{canary}-new", timeout=5, what="the new value")
        wait_for(lambda: len(stage.told("rotated")) == 2, what="the Event")
    assert [(call.method, list(call.json)) for call in spent.calls if call.is_write] == [("PATCH", ["origin"])]
    assert len(spent.writes) == 1
    shown = [
        stage.kubectl("get", "imagesources,hubs,events.events.k8s.io", "--output=yaml"),
        stage.operator.log.read_text(),
        stage.operator.metrics(),
        str([write.body for write in stage.writes()]),
    ]
    assert [text for text in shown if canary in text or API_KEY in text] == []


def test_secret_gone(stage: Scene) -> None:
    """A source whose Secret goes says so within seconds, and once; with the Secret, or its label, all is well again."""
    stage.kubectl.apply(secret("fleeting", password="one"))
    stage.create("fleeting", origin=private("fleeting"))
    stage.kubectl("label", "secret", "fleeting", f"{CREDENTIALS_LABEL}-")
    assert "is not labelled" in stage.reason("fleeting", "SecretMissing").message
    stage.kubectl("label", "secret", "fleeting", f"{CREDENTIALS_LABEL}=true")
    stage.ready("fleeting", timeout=5)
    stage.kubectl.patch("secret", "fleeting", {"data": {"password": None}})
    assert "has no key password" in stage.reason("fleeting", "SecretMissing").message
    stage.kubectl("delete", "secret", "fleeting")
    wait_for(lambda: "does not exist" in stage.reason("fleeting", "SecretMissing").message, what="the missing Secret")
    assert password(stage, "fleeting") == "one"
    stage.kubectl.apply(secret("fleeting", password="two"))
    stage.ready("fleeting", timeout=5)
    assert password(stage, "fleeting") == "two"
    updated = "updated origin (Secret fleeting)"
    wait_for(lambda: dict(stage.told("fleeting")).get("Updated") == updated, what="the Event")
    assert "SecretMissing" in dict(stage.told("fleeting"))


def test_wrong_api_key(stage: Scene) -> None:
    """A wrong key is said by Hub and source, and told of the Hub; the right one is used within seconds."""
    (key, hub) = hub_of(stage, "wrong-key")
    stage.kubectl.apply(key | {"stringData": {"apiKey": "not-the-key"}}, hub)
    use(stage, "wrong-key", "wrong-key")
    assert "renew it in the Hub's Secret" in stage.reason("wrong-key", "KeyRejected").message
    stage.reason("wrong-key", "KeyRejected", resource="hub")
    wait_for(lambda: told_of(stage, "wrong-key", "Hub") == ["KeyRejected"], what="the Event of the Hub")
    stage.kubectl.apply(key)
    stage.ready("wrong-key", timeout=8)
    stage.reason("wrong-key", "Reachable", resource="hub")
    wait_for(lambda: told_of(stage, "wrong-key", "Hub") == ["KeyRejected", "Reachable"], what="the Event of its end")
    assert told_of(stage, "wrong-key", "ImageSource") == ["Created"]
    lines = [line for line in stage.operator.log.read_text().splitlines() if "/wrong-key: KeyRejected: " in line]
    assert len(lines) == 1 and "WARNING" in lines[0]


def test_secret_of_the_hub(stage: Scene) -> None:
    """A Hub's missing Secret, label or key is named by Hub and source."""
    (key, hub) = hub_of(stage, "no-key")
    stage.kubectl.apply(hub)
    use(stage, "no-key", "no-key")
    assert "Secret no-key-key does not exist in namespace" in stage.reason("no-key", "CredentialsMissing").message
    stage.reason("no-key", "CredentialsMissing", resource="hub")
    stage.kubectl.apply(key | {"stringData": {"other": "x"}})
    wait_for(
        lambda: "has no key apiKey" in stage.reason("no-key", "CredentialsMissing").message, what="the missing key"
    )
    stage.kubectl.apply(key)
    stage.ready("no-key", timeout=8)


def test_missing_hub(stage: Scene) -> None:
    """A hub that does not exist is named, and used once it does."""
    use(stage, "no-hub", "later")
    assert "Hub later does not exist" in stage.reason("no-hub", "HubNotFound").message
    wait_for(lambda: told_of(stage, "no-hub", "ImageSource") == ["HubNotFound"], what="the Event")
    stage.kubectl.apply(*hub_of(stage, "later"))
    stage.ready("no-hub", timeout=5)


def test_host_not_allowed(stage: Scene) -> None:
    """A host that the operator may not call is never called, and the flag that would allow it is named."""
    stage.kubectl.apply(*hub_of(stage, "stranger", url="https://platform.example.com"))
    use(stage, "stranger", "stranger")
    assert "--allow-host" in stage.reason("stranger", "HostNotAllowed").message
    stage.reason("stranger", "HostNotAllowed", resource="hub")
    stage.kubectl.apply(*hub_of(stage, "stranger"))
    stage.ready("stranger", timeout=5)


def test_wrong_hub_id(stage: Scene) -> None:
    """A hub id that the platform does not know is said, and can be corrected."""
    stage.kubectl.apply(*hub_of(stage, "wrong-id", hubId="0" * 24))
    use(stage, "wrong-id", "wrong-id")
    assert "check spec.platform" in stage.reason("wrong-id", "WrongHub").message
    stage.kubectl.apply(*hub_of(stage, "wrong-id"))
    stage.ready("wrong-id", timeout=8)


def test_refused_by_the_platform(stage: Scene) -> None:
    """What the platform refuses is Stalled, with the field; a corrected spec is taken."""
    stage.calls.rule = lambda call: refusal(422, "422.invalid-input") if call.method == "POST" else None
    stage.kubectl.apply(source("refused"))
    shown = stage.reason("refused", "Refused")
    assert "the platform refuses createImageSource" in shown.message
    assert stage.condition("refused", "Stalled")
    posts, lists = stage.calls.count("POST"), sum(map(is_list, stage.calls.calls))
    wait_for(lambda: sum(map(is_list, stage.calls.calls)) > lists + 2, what="lists that change nothing")
    assert stage.calls.count("POST") == posts, "a refused create has a time of its own, whatever lists come in"
    stage.calls.rule = None
    stage.edit("refused", name="Better")
    stage.ready("refused")
    assert stage.condition("refused", "Stalled") is None


def test_missing_capability(stage: Scene) -> None:
    """A capability that the key lacks is named, and its being granted is noticed."""
    stage.calls.rule = lambda call: refusal(403, "403.permissions") if call.path == SOURCES else None
    stage.kubectl.apply(source("forbidden"))
    assert "the API key lacks" in stage.reason("forbidden", "Forbidden").message
    stage.calls.rule = None
    stage.ready("forbidden")


def test_source_ref(stage: Scene) -> None:
    """A source that names another waits for it, and follows at once."""
    origin = {"type": "cycle-source", "details": {"sourceRef": {"name": "base"}}}
    stage.kubectl.apply(source("on-top", type="stack-build", origin=origin))
    assert "ImageSource base of this namespace" in stage.reason("on-top", "SourceRefMissing").message
    stage.create("base")
    stage.ready("on-top", timeout=5)
    assert stage.seen("on-top")["origin"]["details"]["source_id"] == stage.id_of("base")


def test_source_ref_to_itself(stage: Scene) -> None:
    """A source that names itself waits for nothing that could come."""
    origin = {"type": "cycle-source", "details": {"sourceRef": {"name": "ouroboros"}}}
    stage.kubectl.apply(source("ouroboros", type="stack-build", origin=origin))
    assert "names itself" in stage.reason("ouroboros", "SourceRefMissing", "Stalled").message
    stage.delete("ouroboros")
