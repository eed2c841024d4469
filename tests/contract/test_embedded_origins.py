"""The seven origin variants on the embedded platform: taken in all details, refused with a pointer, masked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.embedded import SOURCES, Api, embedded_api

from imagesources.embedded import Options

ID = "651586fca6078e98982dbd90"
SSH = {"username": "git", "passphrase": "canary-1", "private_key": "canary-2"}
REPO = {"url": "https://git.example.com/r.git", "branch": "main", "ref": {"type": "tag", "value": "v1"}}
ECR_KEYS = {"api_key": "canary-3", "secret": "canary-4", "config": "canary-5"}
ECR = {"region": "r", "namespace": "n", "subscription_id": "s", "client_id": "c", **ECR_KEYS}
OCI = {"target": "app", "url": "https://registry.example.com"}

ORIGINS: dict[str, dict[str, Any]] = {
    "docker-hub": {"existing": {"source_id": ID}, "target": "nginx:1", "username": "ci", "token": "canary-6"},
    "docker-file": {
        "existing": None,
        "repo": {**REPO, "auth": {"type": "ssh", "credentials": SSH}},
        "targz_url": None,
        "context_dir": "app",
        "build_file": "Dockerfile",
        "credentials": [{"url": "registry.example.com", "username": "u", "token": "canary-7"}, {}],
    },
    "docker-registry": {
        "existing": {},
        **OCI,
        "username": "u",
        "token": "canary-8",
        "password": "canary-9",
    },
    "oci-registry": {
        **OCI,
        "auth": {"type": "provider", "details": {"flavor": "ecr", "credentials": ECR}},
    },
    "cycle-upload": {"expires": "2030-01-30T08:30:00Z", "token": "canary-10"},
    "cycle-source": {"source_id": ID},
    "none": {},
}
GCR = {"type": "provider", "details": {"flavor": "gcr", "credentials": {}}}
EMPTY_HOOK: dict[str, Any] = {"type": "webhook", "details": {}}
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("oci-registry", {**OCI, "auth": {"type": "user", "details": {"username": "u", "token": "canary-11"}}}),
    ("oci-registry", {**OCI, "auth": {"type": "webhook", "details": {"url": "https://hook.example.com"}}}),
    ("oci-registry", {**OCI, "auth": None}),
    (
        "docker-file",
        {"repo": {**REPO, "auth": {"type": "http", "credentials": {"username": "u", "password": "canary-12"}}}},
    ),
    ("docker-file", {"repo": {"url": "u", "auth": None, "ref": None}, "credentials": None}),
    ("docker-file", {}),
]


def origin(kind: str, details: dict[str, Any]) -> dict[str, Any]:
    """Writes an origin; type none has no details."""
    return {"type": kind} if kind == "none" else {"type": kind, "details": details}


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform."""
    async with embedded_api(database) as client:
        yield client


@pytest.mark.parametrize(("kind", "details"), [*ORIGINS.items(), *OTHERS])
async def test_origin_is_kept_in_all_details(api: Api, kind: str, details: dict[str, Any]) -> None:
    """Each variant comes back as it was sent; what belongs to no variant is dropped."""
    wanted = origin(kind, details)
    source = await api.create(origin={**wanted, "unknown": 1})
    assert source["origin"] == wanted
    assert (await api("GET", f"{SOURCES}/{source['id']}")).data["origin"] == wanted


@pytest.mark.parametrize(
    ("sent", "code", "pointer"),
    [
        (3, "invalid", ""),
        ({}, "missing", "/type"),
        ({"type": 5}, "invalid", "/type"),
        ({"type": "docker"}, "invalid", "/type"),
        ({"type": "docker-hub"}, "missing", "/details"),
        (origin("docker-hub", {}), "missing", "/details/target"),
        (origin("docker-hub", {"target": None}), "invalid", "/details/target"),
        (origin("docker-hub", {"target": "a", "username": None}), "invalid", "/details/username"),
        (
            origin("docker-hub", {"target": "a", "existing": {"source_id": ""}}),
            "invalid",
            "/details/existing/source_id",
        ),
        (origin("docker-file", {"repo": {}}), "missing", "/details/repo/url"),
        (origin("docker-file", {"repo": {"url": "u", "auth": {"type": "x"}}}), "invalid", "/details/repo/auth/type"),
        (
            origin("docker-file", {"repo": {"url": "u", "auth": {"type": "ssh", "credentials": {"username": "u"}}}}),
            "missing",
            "/details/repo/auth/credentials/passphrase",
        ),
        (origin("docker-file", {"repo": {"url": "u", "ref": {"type": "t"}}}), "missing", "/details/repo/ref/value"),
        (origin("docker-file", {"credentials": [{}, {"token": 1}]}), "invalid", "/details/credentials/1/token"),
        (origin("docker-registry", {"target": "a"}), "missing", "/details/url"),
        (origin("docker-registry", {**OCI, "existing": None}), "invalid", "/details/existing"),
        (origin("oci-registry", {**OCI, "auth": {}}), "missing", "/details/auth/type"),
        (
            origin(
                "oci-registry", {**OCI, "auth": {"type": "provider", "details": {"flavor": "gcr", "credentials": {}}}}
            ),
            "invalid",
            "/details/auth/details/flavor",
        ),
        (
            origin("oci-registry", {**OCI, "auth": {"type": "webhook", "details": {}}}),
            "missing",
            "/details/auth/details/url",
        ),
        (origin("cycle-upload", {"expires": "tomorrow", "token": "t"}), "invalid", "/details/expires"),
        (origin("cycle-upload", {"expires": "2030-01-30T08:30:00", "token": "t"}), "invalid", "/details/expires"),
        (origin("cycle-upload", {"expires": "1577836800", "token": "t"}), "invalid", "/details/expires"),
        (origin("cycle-upload", {"expires": "2030-01-01 00:00:00Z", "token": "t"}), "invalid", "/details/expires"),
        (origin("cycle-upload", {"expires": "2030-01-01T00:00Z", "token": "t"}), "invalid", "/details/expires"),
        (origin("cycle-upload", {"expires": "2030-13-01T00:00:00Z", "token": "t"}), "invalid", "/details/expires"),
        (origin("cycle-source", {"source_id": "nope"}), "invalid", "/details/source_id"),
    ],
)
async def test_origin_refused(api: Api, sent: Any, code: str, pointer: str) -> None:
    """What is wrong in an origin is named by its JSON pointer, at create and at update."""
    source = await api.create()
    expected = (422, f"422.{code}-argument", f"/origin{pointer}")
    assert (await api("POST", SOURCES, {"type": "direct", "origin": sent})).error == expected
    assert (await api("PATCH", f"{SOURCES}/{source['id']}", {"origin": sent})).error == expected


async def test_credentials_are_masked_when_told_to(database: str) -> None:
    """With mask_credentials no answer holds a credential, and an empty one stays empty."""
    async with embedded_api(database, Options(mask_credentials=True)) as api:
        for kind, details in [*ORIGINS.items(), *OTHERS]:
            answer = await api("POST", SOURCES, {"type": "direct", "origin": origin(kind, details)})
            assert "canary" not in str(answer.body)
        listed = (await api("GET", f"{SOURCES}?page[size]=100")).data
        assert "canary" not in str(listed)
        assert listed[0]["origin"]["details"]["token"] == "********"
        assert listed[0]["origin"]["details"]["username"] == "ci"
        empty = await api.create(origin=origin("docker-hub", {"target": "a", "token": ""}))
        assert empty["origin"]["details"]["token"] == ""


async def test_no_credential_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is stored nor what is refused appears in the log, at any level."""
    caplog.set_level("DEBUG")
    for kind, details in [*ORIGINS.items(), *OTHERS]:
        await api.create(origin=origin(kind, details))
        await api("POST", SOURCES, {"type": "direct", "origin": {**origin(kind, details), "type": "canary-13"}})
        broken = {**details, "target": 1, "repo": "canary-14", "expires": "canary-15", "source_id": "canary-16"}
        await api("POST", SOURCES, {"type": "direct", "origin": origin(kind, broken)})
    assert "canary" not in caplog.text
