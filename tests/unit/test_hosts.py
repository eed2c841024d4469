"""Where a credential would go: one host, or none where an address can be read in two ways."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import Reads, secret

from imagesources.kube.api import allowed_hosts
from imagesources.reconcile.hosts import host_of, registry_of
from imagesources.reconcile.model import FromSecret
from imagesources.reconcile.secrets import SecretUnusableError, fill
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

GOOD, EVIL = "good.example.com", "evil.example.com"


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://good.example.com", GOOD),
        ("https://Good.Example.com:443/path?query#x", GOOD),
        ("https://good.example.com:8443/path", f"{GOOD}:8443"),
        ("http://good.example.com:80", GOOD),
        ("https://user:password@good.example.com/shop.git", GOOD),
        ("https://good.example.com@evil.example.com/", EVIL),
        ("https://good.example.com:x@evil.example.com/", EVIL),
        ("https://evil.example.com/good.example.com", EVIL),
        ("https://evil.example.com?good.example.com", EVIL),
        ("https://evil.example.com#good.example.com", EVIL),
        ("ssh://git@good.example.com:22/shop.git", GOOD),
        ("ssh://git@good.example.com:2222/shop.git", f"{GOOD}:2222"),
        ("git@good.example.com:shop/web.git", GOOD),
        ("good.example.com/base", GOOD),
        ("good.example.com:5000/base", f"{GOOD}:5000"),
        ("https://[2001:db8::1]:8443/", "2001:db8::1:8443"),
        ("good.example.com:x@evil.example.com:path", None),
        ("https://good.example.com\\@evil.example.com", None),
        ("https://good.example.com\n@evil.example.com", None),
        ("https://good.example.com:99999", None),
        ("git@", None),
        ("https://", None),
        ("", None),
        (None, None),
    ],
)
def test_host_of(address: str | None, host: str | None) -> None:
    """The host is the one that is connected to, whatever else the address holds to look like another."""
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("nginx:1.29", "docker.io"),
        ("library/nginx", "docker.io"),
        ("evil.example.com/nginx", EVIL),
        ("localhost/nginx", "localhost"),
        ("evil:5000/nginx", "evil:5000"),
        ("", None),
        (None, None),
    ],
)
def test_registry_of(target: str | None, host: str | None) -> None:
    """An image that names a registry is not Docker Hub's."""
    assert registry_of(target) == host


@given(st.text())
def test_any_text(text: str) -> None:
    """No text breaks it."""
    for found in (host_of(text), registry_of(text)):
        assert found is None or found


@pytest.mark.parametrize(
    ("annotations", "hosts"),
    [
        ({}, None),
        ({"images.cycle.io/allowed-hosts": ""}, frozenset()),
        ({"images.cycle.io/allowed-hosts": " Good.example.com, docker.io:443\n"}, frozenset({GOOD, "docker.io:443"})),
    ],
)
def test_allowed_hosts(annotations: dict[str, str], hosts: frozenset[str] | None) -> None:
    """The annotation is a list of hosts; an empty one allows none, and none allows all."""
    assert allowed_hosts(annotations) == hosts


def token(wanted: str = "token") -> FromSecret:
    """Returns the stand-in for a credential."""
    return FromSecret(name="login", key="token", wanted=wanted, path="spec.origin.here")


def registry(url: str) -> Json:
    """Returns an origin of a registry."""
    return {"type": "docker-registry", "details": {"url": url, "target": "web", "token": token()}}


def webhook(url: object) -> Json:
    """Returns an origin whose registry is good, and whose webhook is elsewhere."""
    auth = {"type": "webhook", "details": {"url": url}}
    return {"type": "oci-registry", "details": {"url": f"https://{GOOD}", "target": "web", "auth": auth}}


def git(url: object, credentials: object = None) -> Json:
    """Returns an origin of a git repository."""
    repo = {"url": url, "auth": {"type": "http", "credentials": {"username": "ci", "password": token("password")}}}
    return {"type": "docker-file", "details": {"repo": repo, "credentials": credentials}}


PUBLIC = "https://public.example.com/shop.git"
ECR = {"url": f"https://{EVIL}", "auth": {"type": "provider", "details": {"credentials": {"api_key": token()}}}}


@pytest.mark.parametrize(
    ("origin", "value", "allowed"),
    [
        pytest.param(registry(f"https://{GOOD}"), "t", True, id="registry"),
        pytest.param(registry(f"https://{EVIL}"), "t", False, id="another registry"),
        pytest.param(registry(f"https://{GOOD}:8443"), "t", False, id="another port"),
        pytest.param(git(f"git@{GOOD}:shop.git"), "t", True, id="git"),
        pytest.param(git(PUBLIC), "t", False, id="another git server"),
        pytest.param(git(token("url")), f"https://{GOOD}/x", True, id="git, its address secret too"),
        pytest.param(git(token("url")), f"https://{EVIL}/x", False, id="another git server, its address secret too"),
        pytest.param(webhook(token("url")), f"https://{GOOD}/hook?key=1", True, id="webhook"),
        pytest.param(webhook(token("url")), f"https://{EVIL}/hook?key=1", False, id="another webhook"),
        pytest.param({"type": "oci-registry", "details": ECR}, "t", False, id="cloud provider"),
        pytest.param(
            {"type": "docker-hub", "details": {"target": "web", "token": token()}}, "t", False, id="docker hub"
        ),
        pytest.param({"type": "cycle-upload", "details": {"token": token()}}, "t", False, id="no host known"),
        pytest.param(
            {"type": "docker-file", "details": {"targz_url": token("targz_url")}}, f"https://{GOOD}/a", True, id="file"
        ),
        pytest.param(
            {"type": "docker-file", "details": {"targz_url": token("targz_url")}}, "no address", False, id="no address"
        ),
    ],
)
async def test_bound_secret(origin: Json, value: str, allowed: bool) -> None:
    """A Secret that names its hosts is sent to them, and neither elsewhere nor where the host cannot be told."""
    bound = secret({"token": value}, allowed_hosts=frozenset({GOOD}))
    for kube, sent in (
        (Reads(secrets={("shop", "login"): secret({"token": value})}), True),
        (Reads(secrets={("shop", "login"): bound}), allowed),
    ):
        if sent:
            full, _ = await fill({"origin": origin}, "shop", kube)
            assert repr(value) in repr(full)
            continue
        with pytest.raises(SecretUnusableError, match=r"images\.cycle\.io/allowed-hosts") as raised:
            await fill({"origin": origin}, "shop", kube)
        assert raised.value.problem.reason is Reason.SECRET_NOT_FOR_HOST
        assert value not in raised.value.problem.message.split()


async def test_bound_to_each() -> None:
    """Of a list of registries, each entry goes to its own host."""
    kube = Reads(secrets={("shop", "login"): secret({"token": "t"}, allowed_hosts=frozenset({GOOD}))})
    good, evil = ({"url": host, "username": "ci", "token": token()} for host in (GOOD, EVIL))

    def origin(*credentials: Json) -> Json:
        return {
            "origin": {"type": "docker-file", "details": {"repo": {"url": PUBLIC}, "credentials": list(credentials)}}
        }

    await fill(origin(good), "shop", kube)
    body = origin(good, evil)
    with pytest.raises(SecretUnusableError, match=EVIL):
        await fill(body, "shop", kube)
