"""The common types of Secrets work as they are: what the platform receives for each of them."""

import base64
import json
from typing import Any

import pytest
from tests.support.platform import SOURCES, secret
from tests.support.scene import Scene, source

Json = dict[str, Any]

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----\n"
REPO = "https://git.example.com/shop.git"


def ref(name: str, key: str) -> Json:
    """A reference to a key of a Secret."""
    return {"secretKeyRef": {"name": name, "key": key}}


def docker_config(**entry: str) -> str:
    """What ``kubectl create secret docker-registry`` stores."""
    return json.dumps({"auths": {"registry.example.com": entry}})


def auth(user: str, password: str) -> str:
    """User and password as docker writes them."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


DOCKER = ref("registry", ".dockerconfigjson")
REGISTRY: Json = {
    "type": "docker-registry",
    "details": {
        "url": "https://registry.example.com",
        "target": "shop/web:1",
        "usernameFrom": DOCKER,
        "passwordFrom": DOCKER,
    },
}
CASES: dict[str, tuple[str, Json, Json, Json]] = {
    "docker config with user and password": (
        "kubernetes.io/dockerconfigjson",
        {".dockerconfigjson": docker_config(username="ci", password="hunter2")},
        REGISTRY,
        {"username": "ci", "password": "hunter2"},
    ),
    "docker config with auth": (
        "kubernetes.io/dockerconfigjson",
        {".dockerconfigjson": docker_config(auth=auth("ci", "hunter:2"))},
        {"type": "docker-hub", "details": {"target": "shop/web:1", "usernameFrom": DOCKER, "tokenFrom": DOCKER}},
        {"username": "ci", "token": "hunter:2"},
    ),
    "basic-auth for a registry": (
        "kubernetes.io/basic-auth",
        {"username": "ci", "password": "hunter2"},
        {
            "type": "oci-registry",
            "details": {
                "url": "https://registry.example.com",
                "target": "shop/web:1",
                "auth": {
                    "type": "user",
                    "details": {"usernameFrom": ref("registry", "username"), "tokenFrom": ref("registry", "password")},
                },
            },
        },
        {"auth": {"type": "user", "details": {"username": "ci", "token": "hunter2"}}},
    ),
    "basic-auth for git": (
        "kubernetes.io/basic-auth",
        {"username": "ci", "password": "hunter2"},
        {
            "type": "docker-file",
            "details": {
                "repo": {
                    "url": REPO,
                    "auth": {
                        "type": "http",
                        "credentials": {
                            "usernameFrom": ref("registry", "username"),
                            "passwordFrom": ref("registry", "password"),
                        },
                    },
                }
            },
        },
        {
            "repo": {
                "url": REPO,
                "auth": {"type": "http", "credentials": {"username": "ci", "password": "hunter2"}},
            }
        },
    ),
    "ssh-auth for git": (
        "kubernetes.io/ssh-auth",
        {"ssh-privatekey": KEY},
        {
            "type": "docker-file",
            "details": {
                "repo": {
                    "url": REPO,
                    "auth": {
                        "type": "ssh",
                        "credentials": {"username": "git", "privateKeyFrom": ref("registry", "ssh-privatekey")},
                    },
                }
            },
        },
        {
            "repo": {
                "url": REPO,
                "auth": {"type": "ssh", "credentials": {"username": "git", "private_key": KEY, "passphrase": ""}},
            }
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_on_the_wire(stage: Scene, case: str) -> None:
    """The values reach the platform in the POST, and are shown nowhere."""
    kind, values, origin, sent = CASES[case]
    name = case.replace(" ", "-")
    text = json.dumps(origin).replace('"registry"', f'"{name}"')
    stage.kubectl.apply(secret(name, **values) | {"type": kind})
    stage.create(name, origin=json.loads(text))
    (post,) = (
        call
        for call in stage.calls.calls
        if (call.method, call.path) == ("POST", SOURCES) and call.json["name"] == name
    )
    details = post.json["origin"]["details"]
    assert {key: details[key] for key in sent} == sent
    shown = stage.kubectl("get", "imagesource", name, "--output=yaml") + stage.operator.log.read_text()
    assert [word for word in ("hunter", "bm90IGEga2V5") if word in shown] == []
    stage.delete(name)


def test_docker_config_of_two_registries(stage: Scene) -> None:
    """A docker configuration of several registries cannot be meant, and the message says what is expected."""
    both = json.dumps({"auths": {"a.example.com": {"auth": auth("a", "b")}, "b.example.com": {"auth": auth("c", "d")}}})
    kind = {"type": "kubernetes.io/dockerconfigjson"}
    stage.kubectl.apply(secret("two-registries", **{".dockerconfigjson": both}) | kind)
    origin = json.loads(json.dumps(REGISTRY).replace('"registry"', '"two-registries"'))
    stage.kubectl.apply(source("two-registries", origin=origin))
    shown = stage.reason("two-registries", "SecretMissing").message
    assert "expected a docker configuration with exactly one registry in auths" in shown
    stage.delete("two-registries")
