"""The embedded platform's image sources, one by one, over real HTTP."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from tests.support.embedded import NONE, SOURCES, Api, embedded_api

HUB = {"type": "docker-hub", "details": {"target": "nginx:1.29", "username": "ci", "token": "s3cret"}}
ACL = {"roles": {"developer": {"view": True, "modify": False, "manage": False}}}
MISSING_ID = "0" * 24


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform."""
    async with embedded_api(database) as client:
        yield client


async def test_create_answers_the_whole_source(api: Api) -> None:
    """Create answers 201 with every property of the schema, and get answers the same."""
    answer = await api("POST", SOURCES, {"name": "Web", "type": "direct", "origin": HUB, "acl": ACL})
    source = answer.data
    assert answer.status == 201
    assert source["hub_id"] == api.hub_id
    assert source["origin"] == HUB
    assert source["acl"] == ACL
    assert source["state"]["current"] == "live"
    assert source["creator"]["type"] == "api-key"
    assert source["events"]["deleted"] == "0001-01-01T00:00:00Z"
    assert datetime.fromisoformat(source["events"]["created"]).tzinfo is not None
    assert (await api("GET", f"{SOURCES}/{source['id']}")).data == source


@pytest.mark.parametrize(
    ("body", "name", "identifier"),
    [
        ({"name": "My  Web_App!"}, "My  Web_App!", "my-web-app"),
        ({"name": "日本"}, "日本", "image-source"),
        ({"name": "Web", "identifier": "k8s-ABC.1"}, "Web", "k8s-ABC.1"),
        ({"name": "Web", "identifier": ""}, "Web", "web"),
        ({"origin": HUB}, "nginx:1.29", "nginx-1-29"),
        ({}, "Image source", "image-source"),
    ],
)
async def test_create_defaults(api: Api, body: dict[str, Any], name: str, identifier: str) -> None:
    """An identifier is kept as it is given, else made from the name; a name that is missing is made from the image."""
    source = (await api("POST", SOURCES, {"type": "bucket", "origin": NONE, **body})).data
    assert (source["name"], source["identifier"]) == (name, identifier)


async def test_create_identifier_is_not_unique(api: Api) -> None:
    """Two sources may have one identifier, and ids rise in the order of creation."""
    first, second = [await api.create("Same") for _ in range(2)]
    assert first["identifier"] == second["identifier"]
    assert first["id"] < second["id"]


async def test_update_replaces_what_is_sent(api: Api) -> None:
    """Update replaces whole top-level properties, and leaves alone what is absent."""
    await api.integration("farm")
    source = await api.create(origin=HUB, about={"description": "old"}, builder={"integration_id": "farm"})
    path = f"{SOURCES}/{source['id']}"
    plain = {"type": "docker-hub", "details": {"target": "nginx:2"}}
    changed = (await api("PATCH", path, {"origin": plain, "builder": None, "about": {"description": None}})).data
    assert changed["origin"] == plain
    assert changed["builder"] is None
    assert changed["about"] == {"description": None}
    assert changed["name"] == source["name"]
    assert changed["identifier"] == source["identifier"]
    assert changed["events"]["updated"] > source["events"]["updated"]
    assert (await api("PATCH", path, {"builder": {"integration_id": None}})).data["builder"] == {"integration_id": None}


async def test_update_identifier(api: Api) -> None:
    """A new name keeps the identifier; identifier null makes it anew from the name that is valid then."""
    path = f"{SOURCES}/{(await api.create('Web'))['id']}"
    assert (await api("PATCH", path, {"name": "Shop"})).data["identifier"] == "web"
    assert (await api("PATCH", path, {"identifier": "mine"})).data["identifier"] == "mine"
    assert (await api("PATCH", path, {"identifier": None})).data["identifier"] == "shop"
    assert (await api("PATCH", path, {"identifier": None, "name": "New one"})).data["identifier"] == "new-one"


async def test_update_ignores_what_cannot_be_updated(api: Api) -> None:
    """Type, acl, id, hub and unknown properties are ignored, and nothing counts as updated then."""
    source = await api.create()
    sent = {"type": "bucket", "acl": ACL, "id": MISSING_ID, "hub_id": MISSING_ID, "nonsense": [1], "state": None}
    assert (await api("PATCH", f"{SOURCES}/{source['id']}", sent)).data == source


async def test_access_replaces_the_acl(api: Api) -> None:
    """Access sets an ACL, an empty one, and none; a body without acl changes nothing."""
    path = f"{SOURCES}/{(await api.create())['id']}"
    for acl in (ACL, {"roles": {}}, None, ACL):
        assert (await api("PATCH", f"{path}/access", {"acl": acl})).data["acl"] == acl
    assert (await api("PATCH", f"{path}/access", {})).data["acl"] == ACL


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("PATCH", "/access")],
)
@pytest.mark.parametrize("source_id", [MISSING_ID, "nonsense", "a%20b", "A" * 24])
async def test_missing_source(api: Api, method: str, path: str, source_id: str) -> None:
    """Every operation on a source that is not there answers 404.image.source, whatever its id looks like."""
    answer = await api(method, f"{SOURCES}/{source_id}{path}", {} if method == "PATCH" else None)
    assert answer.error == (404, "404.image.source", None)


async def test_source_of_another_hub(api: Api) -> None:
    """A source is not there for the key of another hub."""
    assert api.platform is not None
    source = await api.create()
    other_hub = await api.platform.ensure_hub("other")
    other_key = await api.platform.issue_key(other_hub)
    other = Api(api.session, api.url, other_hub, other_key)
    assert (await other("GET", f"{SOURCES}/{source['id']}")).error == (404, "404.image.source", None)
    assert await other.names() == []


@pytest.mark.parametrize(
    ("body", "code", "source"),
    [
        ({"origin": NONE}, "422.missing-argument", "/type"),
        ({"type": "direct"}, "422.missing-argument", "/origin"),
        ({"type": "nope", "origin": NONE}, "422.invalid-argument", "/type"),
        ({"type": "direct", "origin": NONE, "name": None}, "422.invalid-argument", "/name"),
        ({"type": "direct", "origin": NONE, "name": "a\0b"}, "422.invalid-argument", "/name"),
        ({"type": "direct", "origin": NONE, "name": "x" * 256}, "422.invalid-argument", "/name"),
        ({"type": "direct", "origin": NONE, "identifier": 7}, "422.invalid-argument", "/identifier"),
        ({"type": "direct", "origin": NONE, "about": {}}, "422.missing-argument", "/about/description"),
        ({"type": "direct", "origin": NONE, "builder": {}}, "422.missing-argument", "/builder/integration_id"),
        ({"type": "direct", "origin": NONE, "acl": []}, "422.invalid-argument", "/acl"),
        (
            {"type": "direct", "origin": NONE, "acl": {"roles": {"a/b~": {"view": "yes", "modify": True}}}},
            "422.invalid-argument",
            "/acl/roles/a~1b~0/view",
        ),
        (
            {"type": "direct", "origin": NONE, "acl": {"roles": {"=x": {"view": True, "modify": True}}}},
            "422.missing-argument",
            "/acl/roles/=x/manage",
        ),
        ([], "422.invalid-argument", ""),
    ],
)
async def test_create_refuses(api: Api, body: Any, code: str, source: str) -> None:
    """A body that is not valid is refused with the JSON pointer of what is wrong, and nothing is created."""
    assert (await api("POST", SOURCES, body)).error == (422, code, source)
    assert await api.names() == []


@pytest.mark.parametrize(
    ("body", "source"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"origin": None}, "/origin"),
        ({"about": None}, "/about"),
        ({"builder": "b"}, "/builder"),
    ],
)
async def test_update_refuses(api: Api, body: Any, source: str) -> None:
    """An update with an invalid property changes nothing, the valid ones beside it neither."""
    before = await api.create()
    path = f"{SOURCES}/{before['id']}"
    answer = await api("PATCH", path, {"identifier": "changed", **body})
    assert answer.error == (422, "422.invalid-argument", source)
    assert (await api("GET", path)).data == before


@pytest.mark.parametrize("raw", [b"", b"{", b"{'a': 1}", b"\xff", b'"\\ud800"', b"[" * 100_000])
async def test_malformed_json(api: Api, raw: bytes) -> None:
    """A body that is no JSON is refused as 400.invalid-syntax."""
    assert (await api("POST", SOURCES, raw=raw)).error == (400, "400.invalid-syntax", None)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_wrong_content_type(api: Api, content_type: str) -> None:
    """A body that does not say that it is JSON is refused."""
    answer = await api("POST", SOURCES, raw=b"{}", Content_Type=content_type)
    assert answer.error == (415, "415.invalid-content-type", None)


async def test_oversized_body(api: Api) -> None:
    """A body above the limit is refused before it is read whole."""
    answer = await api("POST", SOURCES, raw=b" " * 1_100_000)
    assert answer.error == (422, "422.max-exceeded", None)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/v1/nothing"), ("PUT", SOURCES), ("POST", "/v1/jobs")]
)
async def test_unknown_operation(api: Api, method: str, path: str) -> None:
    """A path or method that is not served answers 404.uri in the envelope."""
    assert (await api(method, path)).error == (404, "404.uri", None)
