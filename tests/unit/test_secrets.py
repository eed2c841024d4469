"""Credentials are put into a body at the last moment, and a Secret that cannot be used says why without a value."""

import base64
import json
from typing import Any

import pytest
from tests.support.builders import Reads, secret

from imagesources.reconcile.model import FromSecret
from imagesources.reconcile.ports import Secret
from imagesources.reconcile.secrets import DOCKER_CONFIG, SecretUnusableError, fill
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

VALUE = "s3cret"
PATH = "spec.origin.details.tokenFrom"


def ref(key: str = "token", wanted: str = "token", name: str = "login") -> FromSecret:
    """Returns a stand-in for a credential."""
    return FromSecret(name=name, key=key, wanted=wanted, path=PATH)


def cluster(**secrets: Secret) -> Reads:
    """Returns a cluster with these Secrets in one namespace."""
    return Reads(secrets={("shop", name): found for name, found in secrets.items()})


def auth(user_info: str) -> str:
    """Returns a user and password as a docker configuration has them."""
    return base64.b64encode(user_info.encode()).decode()


async def test_fill_everywhere() -> None:
    """Credentials are replaced at any depth, everything else stays, and each Secret is read once."""
    kube = cluster(login=secret({"token": VALUE, "user": "ci"}), other=secret({"token": "2"}, version="7"))
    body = {"a": {"token": ref(), "n": 1}, "b": [{"u": ref("user")}, "x", None], "c": ref(name="other"), "d": True}
    full, read = await fill(body, "shop", kube)
    assert full == {"a": {"token": VALUE, "n": 1}, "b": [{"u": "ci"}, "x", None], "c": "2", "d": True}
    assert {name: found.resource_version for name, found in read.items()} == {"login": "1", "other": "7"}
    assert sorted(kube.read) == [("shop", "login"), ("shop", "other")]


async def test_fill_leaves_body_alone() -> None:
    """The body with the stand-ins stays as it was, so that it can be shown."""
    body = {"a": {"token": ref()}}
    await fill(body, "shop", cluster(login=secret({"token": VALUE})))
    assert body == {"a": {"token": ref()}}


async def test_fill_without_credentials() -> None:
    """Without a stand-in nothing is read."""
    kube = cluster()
    assert await fill({"a": [1, {"b": "c"}]}, "shop", kube) == ({"a": [1, {"b": "c"}]}, {})
    assert kube.read == []


@pytest.mark.parametrize(
    ("kube", "words"),
    [
        pytest.param(cluster(), ["login does not exist", "namespace shop", "create it"], id="no secret"),
        pytest.param(
            Reads(secrets={("elsewhere", "login"): secret({"token": VALUE})}),
            ["does not exist"],
            id="another namespace",
        ),
        pytest.param(
            cluster(login=secret({"token": VALUE}, labelled=False)),
            ['images.cycle.io/credentials: "true"', "label it"],
            id="no label",
        ),
        pytest.param(cluster(login=secret({"password": VALUE})), ["has no key token"], id="no key"),
    ],
)
async def test_fill_unusable(kube: Reads, words: list[str]) -> None:
    """A Secret that is missing, not labelled or without the key is named with its field and the fix, never a value."""
    with pytest.raises(SecretUnusableError) as raised:
        await fill({"origin": {"token": ref()}}, "shop", kube)
    problem = raised.value.problem
    assert (problem.reason, problem.permanent) == (Reason.SECRET_MISSING, False)
    assert problem.message.startswith(f"{PATH}: Secret login")
    assert [word for word in words if word not in problem.message] == []
    assert VALUE not in f"{problem.message}{raised.value!r}"


@pytest.mark.parametrize(
    ("wanted", "entry", "value"),
    [
        pytest.param("username", {"auth": auth("ci:pass:word")}, "ci", id="user name, encoded"),
        pytest.param("password", {"auth": auth("ci:pass:word")}, "pass:word", id="password, encoded"),
        pytest.param("token", {"auth": auth("ci:token")}, "token", id="token, encoded"),
        pytest.param("username", {"username": "ci", "password": "p"}, "ci", id="user name, plain"),
        pytest.param("token", {"username": "ci", "password": "p"}, "p", id="token, plain"),
        pytest.param("password", {"password": "p", "auth": auth("ci:q")}, "p", id="plain before encoded"),
    ],
)
async def test_docker_config(wanted: str, entry: Json, value: str) -> None:
    """A docker configuration gives the user name to a field that wants one, and its password to any other."""
    kube = cluster(login=secret({DOCKER_CONFIG: json.dumps({"auths": {"registry.example.com": entry}})}))
    full, _ = await fill({"x": ref(DOCKER_CONFIG, wanted)}, "shop", kube)
    assert full == {"x": value}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(f"{{{VALUE}", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"credHelpers": {}}', id="no auths"),
        pytest.param('{"auths": {}}', id="no registry"),
        pytest.param(
            json.dumps({"auths": {"a": {"auth": auth("u:p")}, "b": {"auth": auth("u:p")}}}), id="two registries"
        ),
        pytest.param('{"auths": {"a": null}}', id="null"),
        pytest.param('{"auths": {"a": {"auth": "s3cret!"}}}', id="no base64"),
        pytest.param('{"auths": {"a": {"auth": "/////w=="}}}', id="no text"),
        pytest.param('{"auths": {"a": {}}}', id="no credentials"),
        pytest.param(json.dumps({"auths": {"a": {"auth": auth("s3cret")}}}), id="no password"),
        pytest.param('{"auths": {"a": {"password": null}}}', id="null as password"),
    ],
)
async def test_docker_config_unusable(text: str) -> None:
    """A docker configuration that does not give one credential is refused instead of sending an empty or false one."""
    with pytest.raises(SecretUnusableError, match="exactly one registry") as raised:
        await fill({"x": ref(DOCKER_CONFIG, "password")}, "shop", cluster(login=secret({DOCKER_CONFIG: text})))
    assert VALUE not in raised.value.problem.message


def test_secret_shows_no_value() -> None:
    """No ``repr`` of a Secret shows what is in it."""
    assert VALUE not in repr(secret({"token": VALUE}))
    assert VALUE not in str({"login": secret({"token": VALUE})})
