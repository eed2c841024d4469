"""Who may do what on the embedded platform: keys, hubs, capabilities, roles and ACLs."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.support.embedded import INTEGRATIONS, SOURCES, Api, embedded_api, read
from tests.support.facts import load_facts

from imagesources.embedded import ALL, Capability, Options
from imagesources.embedded.schema import metadata

VIEW, MODIFY, MANAGE = (
    {"view": True, "modify": False, "manage": False},
    {"view": True, "modify": True, "manage": False},
    {"view": True, "modify": False, "manage": True},
)
HIDDEN = {"view": False, "modify": True, "manage": True}


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform, with all rights."""
    async with embedded_api(database) as client:
        yield client


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic dTpw", "Bearer \xe9"])
@pytest.mark.parametrize("path", [SOURCES, f"{SOURCES}/nonsense", "/v1/jobs"])
async def test_no_valid_key(api: Api, authorization: str, path: str) -> None:
    """Without a valid key the answer has the OAuth shape, and nothing else is looked at."""
    answer = await api("GET", path, Authorization=authorization)
    assert answer.status == 401
    assert set(answer.body) == {"error", "error_description"}
    assert answer.body["error"] == "invalid_token"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_hub_must_be_named(api: Api) -> None:
    """The hub is required, must exist, and must be the key's."""
    assert api.platform is not None
    other = await api.platform.ensure_hub("other")
    assert (await api("GET", SOURCES, X_Hub_Id="")).error == (422, "422.missing-argument", None)
    assert (await api("GET", SOURCES, X_Hub_Id="0" * 24)).error == (404, "404.hub", None)
    assert (await api("GET", SOURCES, X_Hub_Id=other)).error == (403, "403.wrong-hub", None)


async def test_hub_is_named_where_the_description_says_so(api: Api) -> None:
    """Each operation asks for the header where it lists ``hubAuth``; where it does not, the hub is the key's own."""
    await api.integration("farm")
    assert len((await api("GET", INTEGRATIONS, X_Hub_Id="")).data) == 1
    facts = load_facts()
    demands = {}
    for path, item in facts["paths"].items():
        for method, operation in item.items():
            listed = any("hubAuth" in way for way in operation.get("security", facts["security"]))
            answer = await api(method.upper(), re.sub("{.*?}", "0" * 24, path), {}, X_Hub_Id="")
            demanded = answer.status == 422 and answer.body["error"].get("detail", "").startswith("The header X-Hub-Id")
            demands[operation["operationId"]] = (listed, demanded)
    assert {operation: both for operation, both in demands.items() if both[0] != both[1]} == {}
    assert set(demands.values()) == {(True, True), (False, False)}


@pytest.mark.parametrize(
    ("key", "hub", "status"),
    [(b"\xff\xfe", b"HUB", b"401"), (b"KEY", b"\xff\xfe", b"404"), (b"KEY", b"x" * 5000, b"404")],
)
async def test_headers_of_any_bytes(api: Api, key: bytes, hub: bytes, status: bytes) -> None:
    """A key or hub id that is no text is one that does not exist."""
    sent = {b"Authorization": b"Bearer " + key, b"X-Hub-Id": hub, b"Host": b"h", b"Connection": b"close"}
    head = b"".join(b"%s: %s\r\n" % header for header in sent.items())
    head = head.replace(b"KEY", api.key.encode()).replace(b"HUB", api.hub_id.encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    writer.write(b"GET %s HTTP/1.1\r\n%s\r\n" % (SOURCES.encode(), head))
    assert (await reader.read()).split()[1] == status
    writer.close()
    await writer.wait_closed()


async def test_bearer_in_any_case(api: Api) -> None:
    """The scheme's name is not case sensitive."""
    assert (await api("GET", SOURCES, Authorization=f"bearer {api.key}")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "capability"),
    [
        ("GET", SOURCES, Capability.SOURCES_VIEW),
        ("POST", SOURCES, Capability.SOURCES_MANAGE),
        ("GET", SOURCES + "/ID", Capability.SOURCES_VIEW),
        ("PATCH", SOURCES + "/ID", Capability.SOURCES_MANAGE),
        ("DELETE", SOURCES + "/ID", Capability.SOURCES_MANAGE),
        ("PATCH", SOURCES + "/ID/access", Capability.SOURCES_MANAGE),
        ("GET", "/v1/jobs", Capability.JOBS_VIEW),
        ("GET", "/v1/jobs/latest", Capability.JOBS_VIEW),
        ("GET", "/v1/jobs/ID", Capability.JOBS_VIEW),
    ],
)
async def test_capability_is_required(api: Api, method: str, path: str, capability: Capability) -> None:
    """An operation is refused to a key that has every capability but the one that it asks for, which is named."""
    source = await api.create()
    lacking = await api.with_key("owner", ALL - {capability})
    body: Any = {"type": "direct", "origin": {"type": "none"}} if method in ("POST", "PATCH") else None
    answer = await lacking(method, path.replace("ID", source["id"]), body)
    assert answer.error == (403, "403.permissions", None)
    assert answer.body["error"]["extra"] == {"capability": capability}
    having = await api.with_key("owner", frozenset({capability}))
    assert (await having(method, path.replace("ID", source["id"]), body)).status != 403


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        (None, ""),
        ({"view": False, "modify": False, "manage": False}, ""),
        (VIEW, "view"),
        (MODIFY, "view modify"),
        (MANAGE, "view access delete"),
        (HIDDEN, "modify access delete"),
    ],
)
async def test_acl_is_enforced(api: Api, entry: dict[str, bool] | None, allowed: str) -> None:
    """Each privilege of a role's entry opens exactly its operations; no entry opens none."""
    developer = await api.with_key("developer")
    roles = {"other": VIEW} if entry is None else {"developer": entry}
    path = f"{SOURCES}/{(await api.create('Mine', acl={'roles': roles}))['id']}"
    results = {
        "view": (await developer("GET", path)).status,
        "modify": (await developer("PATCH", path, {"about": {"description": "x"}})).status,
        "access": (await developer("PATCH", f"{path}/access", {})).status,
        "delete": (await developer("DELETE", path)).status,
    }
    assert {what for what, status in results.items() if status < 300} == set(allowed.split())
    assert {status for what, status in results.items() if what not in allowed.split()} <= {403}


@pytest.mark.parametrize(("role", "capabilities"), [("developer", ALL), ("owner", ALL - {Capability.SOURCES_VIEW})])
async def test_who_may_not_view_sees_no_credentials(api: Api, role: str, capabilities: frozenset[str]) -> None:
    """Who may change a source and not read it is answered without its credentials, which stay as they are."""
    hub = {"type": "docker-hub", "details": {"target": "nginx", "token": "s3cret"}}
    source = await api.create(origin=hub, acl={"roles": {"developer": HIDDEN}})
    path = f"{SOURCES}/{source['id']}"
    blind = await api.with_key(role, capabilities)
    for target in (path, f"{path}/access"):
        assert (await blind("PATCH", target, {})).data["origin"]["details"]["token"] == "********"
    assert (await api("PATCH", path, {})).data["origin"] == (await api("GET", path)).data["origin"] == hub


async def test_hidden_names_are_in_no_job(api: Api) -> None:
    """The job of a source that has an ACL tells its id, not its name, to everybody who may list jobs."""
    hidden = await api.create("TopSecret", acl={"roles": {}})
    job_id = await api.delete(hidden["id"])
    developer = await api.with_key("developer")
    assert (await developer("GET", f"/v1/jobs/{job_id}")).data["caption"] == f"Delete image source {hidden['id']}"
    assert (await developer("GET", "/v1/jobs?filter[search]=topsecret")).data == []


async def test_lists_hold_what_may_be_viewed(api: Api) -> None:
    """A list, and its pages, hold the sources without ACL and those whose ACL lets the role view, by name or id."""
    assert api.platform is not None
    developer = await api.with_key("developer")
    role_id = await api.platform.ensure_role(api.hub_id, "developer")
    for name, acl in (
        ("open", None),
        ("nobody's", {"roles": {}}),
        ("others'", {"roles": {"ops": VIEW}}),
        ("by name", {"roles": {"developer": VIEW, "ops": HIDDEN}}),
        ("hidden", {"roles": {"developer": HIDDEN}}),
        ("by id", {"roles": {role_id: VIEW}}),
    ):
        await api.create(name, acl=acl)
    assert await developer.names() == ["open", "by name", "by id"]
    assert await developer.names("page[size]=1&page[number]=2") == ["by name"]
    assert len(await api.names()) == 6


async def test_lists_follow_the_acl(api: Api) -> None:
    """A changed ACL changes lists at once."""
    developer = await api.with_key("developer")
    path = f"{SOURCES}/{(await api.create('Mine'))['id']}/access"
    for acl, seen in (({"roles": {"developer": VIEW}}, True), ({"roles": {}}, False), (None, True)):
        await api("PATCH", path, {"acl": acl})
        assert await developer.names() == (["Mine"] if seen else [])


async def test_rate_limit(database: str) -> None:
    """A key that asks too often is told when to ask again; another key is not concerned."""
    async with embedded_api(database, Options(requests_per_second=3)) as api:
        other = await api.with_key("owner")
        answers = [await api("GET", SOURCES) for _ in range(6)]
        limited = [answer for answer in answers if answer.status == 429]
        assert limited
        assert limited[0].error == (429, "429.rate-limiting", None)
        assert int(limited[0].headers["Retry-After"]) >= 1
        assert (await other("GET", SOURCES)).status == 200


async def test_admin_is_idempotent(database: str) -> None:
    """Hubs, roles and keys are found again by name, also after a restart; the store stays the same instance."""
    seen = []
    for _ in range(2):
        async with embedded_api(database) as api:
            assert api.platform is not None
            role_id = await api.platform.ensure_role(api.hub_id, "developer")
            creator = (await api.create())["creator"]["id"]
            seen.append((api.platform.instance, api.hub_id, role_id, creator))
    assert seen[0] == seen[1]


async def test_instance_is_of_the_store(new_database: Callable[[], str]) -> None:
    """Another store is another instance."""
    instances = set()
    for database in (new_database(), new_database()):
        async with embedded_api(database) as api:
            assert api.platform is not None
            instances.add(api.platform.instance)
    assert len(instances) == 2


async def test_key_is_replaced(api: Api) -> None:
    """A key of the same name gets a new value, the old one is no longer valid; a value given is the one that counts."""
    assert api.platform is not None
    assert await api.platform.issue_key(api.hub_id, value="given") == "given"
    assert (await api("GET", SOURCES)).status == 401
    assert (await api("GET", SOURCES, Authorization="Bearer given")).status == 200
    with pytest.raises(ValueError, match="another API key"):
        await api.platform.issue_key(api.hub_id, value="given", name="other")


async def test_hub_with_a_given_id(api: Api) -> None:
    """A hub can be given its id, and is then found by it; ids that are none, or taken names, are refused."""
    assert api.platform is not None
    wanted = "5f" * 12
    assert await api.platform.ensure_hub("given", hub_id=wanted) == wanted
    assert await api.platform.ensure_hub("renamed", hub_id=wanted) == wanted
    with pytest.raises(ValueError, match="another id"):
        await api.platform.ensure_hub("test", hub_id="5e" * 12)
    with pytest.raises(ValueError, match="24 hex"):
        await api.platform.ensure_hub("test", hub_id="nope")


async def test_keys_are_not_in_the_store(api: Api, database: str) -> None:
    """No row of any table holds the value of a key."""
    rows = await read(database, everything)
    assert api.key not in rows
    assert api.hub_id in rows


def everything(connection: Connection) -> str:
    """Reads all rows of all tables."""
    return "".join(str(row) for table in metadata.sorted_tables for row in connection.execute(select(table)))
