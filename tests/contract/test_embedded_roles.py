"""Roles of a hub on the embedded platform, and the list of capabilities."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.embedded import Api, embedded_api
from tests.support.facts import load_facts

from imagesources.embedded import ALL, Capability, Options

ROLES = "/v1/hubs/current/roles"
CAPABILITIES = "/v1/hubs/capabilities"


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform, with all rights."""
    async with embedded_api(database) as client:
        yield client


async def create(api: Api, identifier: str, rank: int = 3, **properties: Any) -> dict[str, Any]:
    """Creates a role and returns it."""
    return dict((await api("POST", ROLES, {"identifier": identifier, "rank": rank, **properties})).data)


async def of_rank(api: Api, rank: int) -> Api:
    """Returns a client whose role has this rank and is no root."""
    await create(api, f"rank-{rank}", rank)
    return await api.with_key(f"rank-{rank}")


async def test_capabilities_are_those_described(api: Api) -> None:
    """The list is open to all, names every capability of the description, and has a caption for each."""
    answer = await api("GET", CAPABILITIES, Authorization="", X_Hub_Id="")
    described = load_facts()["components"]["schemas"]["Capability"]["enum"]
    assert answer.data == described
    assert list(answer.body["meta"]["captions"]) == described
    assert answer.body["meta"]["captions"]["images-sources-view"] == "View images sources"
    assert set(described) >= ALL


async def test_create_fills_in(api: Api) -> None:
    """A role has defaults, is live at once, and its creator is the API key."""
    role = await create(api, "dev")
    assert role["name"] is None
    assert role["capabilities"] == {"all": False, "specific": []}
    assert (role["rank"], role["root"], role["default"], role["extra"]) == (3, False, None, {})
    assert role["state"]["current"] == "live"
    assert role["creator"]["type"] == "api-key"
    assert role["events"]["deleted"] == "0001-01-01T00:00:00Z"
    assert (await api("GET", f"{ROLES}/{role['id']}")).data == role


async def test_update_replaces_what_is_sent(api: Api) -> None:
    """What is absent stays, what is null is as it is in a new role, and an ACL can name the role afterwards."""
    granted = {"all": False, "specific": ["images-view"]}
    role = await create(api, "dev", name="Developers", capabilities=granted, extra={"a": "b"})
    path = f"{ROLES}/{role['id']}"
    renamed = (await api("PATCH", path, {"identifier": "devs", "rank": 4})).data
    assert (renamed["identifier"], renamed["rank"], renamed["name"]) == ("devs", 4, "Developers")
    assert (renamed["capabilities"], renamed["extra"]) == (granted, {"a": "b"})
    nulls = {"name": None, "capabilities": None, "extra": None}
    emptied = (await api("PATCH", path, {"identifier": "devs", "rank": 4, **nulls})).data
    assert (emptied["name"], emptied["capabilities"]["specific"], emptied["extra"]) == (None, [], {})
    developer = await api.with_key("devs")
    source = await api.create(acl={"roles": {"devs": {"view": True, "modify": False, "manage": False}}})
    assert await developer.names() == [source["name"]]


@pytest.mark.parametrize(
    ("body", "code", "source"),
    [
        ({"rank": 1}, "422.missing-argument", "/identifier"),
        ({"identifier": "x"}, "422.missing-argument", "/rank"),
        ({"identifier": "", "rank": 1}, "422.invalid-argument", "/identifier"),
        ({"identifier": "x", "rank": 11}, "422.invalid-argument", "/rank"),
        ({"identifier": "x", "rank": -1}, "422.invalid-argument", "/rank"),
        ({"identifier": "x", "rank": "1"}, "422.invalid-argument", "/rank"),
        ({"identifier": "x", "rank": 1.5}, "422.invalid-argument", "/rank"),
        ({"identifier": "x", "rank": 1, "extra": {"a": 1}}, "422.invalid-argument", "/extra/a"),
        (
            {"identifier": "x", "rank": 1, "capabilities": {"all": False, "specific": ["fly"]}},
            "422.invalid-argument",
            "/capabilities/specific",
        ),
        ({"identifier": "owner", "rank": 1}, "409.duplicate-found", "/identifier"),
    ],
)
async def test_create_refuses(api: Api, body: dict[str, Any], code: str, source: str) -> None:
    """What is wrong is named, and an identifier is unique."""
    assert (await api("POST", ROLES, body)).error == (int(code[:3]), code, source)


async def test_update_to_a_taken_identifier(api: Api) -> None:
    """Another role's identifier is refused, and nothing changes."""
    await create(api, "one")
    path = f"{ROLES}/{(await create(api, 'two'))['id']}"
    assert (await api("PATCH", path, {"identifier": "one", "rank": 3})).error[1] == "409.duplicate-found"
    assert (await api("GET", path)).data["identifier"] == "two"


async def test_list_pages_sorts_filters_and_counts(api: Api) -> None:
    """The list has pages, sort keys, a search, and the number of API keys as meta."""
    for identifier, rank in (("a-dev", 2), ("b-ops", 5), ("c-dev", 1)):
        await create(api, identifier, rank)
    await api.with_key("b-ops")

    async def listed(query: str) -> list[str]:
        return [role["identifier"] for role in (await api("GET", f"{ROLES}?{query}")).data]

    assert await listed("sort=-rank&page[size]=2") == ["owner", "b-ops"]
    assert await listed("sort=rank&page[size]=2&page[number]=2") == ["b-ops", "owner"]
    assert await listed("filter[search]=DEV") == ["a-dev", "c-dev"]
    assert await listed("filter[identifier]=b-ops") == ["b-ops"]
    await create(api, "übung", name="Straße")
    assert await listed("filter[search]=ÜBUNG") == await listed("filter[search]=stRAße") == ["übung"]
    assert await listed("filter[search]=100%25") == []
    counted = (await api("GET", f"{ROLES}?meta=counts&sort=identifier")).data
    assert [role["meta"]["counts"]["api_keys"] for role in counted] == [0, 1, 0, 1, 0]
    one = await api("GET", f"{ROLES}/{counted[1]['id']}?meta=counts")
    assert one.data["meta"]["counts"] == {"members": 0, "api_keys": 1}


async def test_ranks_are_enforced(api: Api) -> None:
    """A role changes only roles of a lower rank, and gives no rank that is not below its own; root roles are above."""
    manager = await of_rank(api, 5)
    lower, equal = await create(api, "lower", 4), await create(api, "equal", 5)
    refused = (403, "403.not-allowed", None)
    assert (await manager("POST", ROLES, {"identifier": "x", "rank": 5})).error == refused
    assert (await manager("PATCH", f"{ROLES}/{lower['id']}", {"identifier": "lower", "rank": 5})).error == refused
    assert (await manager("PATCH", f"{ROLES}/{equal['id']}", {"identifier": "equal", "rank": 1})).error == refused
    assert (await manager("DELETE", f"{ROLES}/{equal['id']}")).error == refused
    assert (await manager("PATCH", f"{ROLES}/{lower['id']}", {"identifier": "lower", "rank": 3})).status == 200
    assert (await api("POST", ROLES, {"identifier": "top", "rank": 10})).status == 201


async def test_root_role_stays(api: Api) -> None:
    """The owner's role is neither changed nor deleted."""
    (owner,) = (await api("GET", f"{ROLES}?filter[identifier]=owner")).data
    assert (owner["root"], owner["rank"], owner["default"], owner["creator"]["type"]) == (True, 10, "owner", "platform")
    path = f"{ROLES}/{owner['id']}"
    assert (await api("PATCH", path, {"identifier": "x", "rank": 1})).error[1] == "403.not-allowed"
    assert (await api("DELETE", path)).error[1] == "403.not-allowed"


async def test_delete_is_a_job(api: Api) -> None:
    """A role that no API key has is deleted by a job, and its identifier is free again."""
    path = f"{ROLES}/{(await create(api, 'dev'))['id']}"
    answer = await api("DELETE", path)
    assert answer.status == 202
    assert answer.data["action"] == "delete"
    assert (await api.ended(answer.data["job"]["id"]))["state"]["current"] == "completed"
    assert (await api("GET", path)).error == (404, "404.hub.role", None)
    await create(api, "dev")


async def test_role_in_use_is_not_deleted(api: Api) -> None:
    """A role that an API key has is not deleted."""
    manager = await of_rank(api, 5)
    (role,) = (await api("GET", f"{ROLES}?filter[identifier]=rank-5")).data
    assert (await api("DELETE", f"{ROLES}/{role['id']}")).error[1] == "403.not-allowed"
    assert (await manager("GET", ROLES)).status == 200


async def test_role_given_away_while_it_is_deleted(database: str) -> None:
    """A role that an API key gets before the job is done stays; the job fails and says so."""
    async with embedded_api(database, Options(step_seconds=0.3)) as api:
        path = f"{ROLES}/{(await create(api, 'dev'))['id']}"
        job_id = (await api("DELETE", path)).data["job"]["id"]
        await api.with_key("dev")
        assert (await api.ended(job_id))["state"]["current"] == "error"
        assert (await api("GET", path)).data["state"]["error"]["message"]


@pytest.mark.parametrize("role_id", ["nonsense", "0" * 24])
async def test_unknown_role(api: Api, role_id: str) -> None:
    """An id that is none, or nobody's, is not found by any operation."""
    for method in ("GET", "PATCH", "DELETE"):
        body = {"identifier": "x", "rank": 1} if method == "PATCH" else None
        assert (await api(method, f"{ROLES}/{role_id}", body)).error == (404, "404.hub.role", None)


async def test_capability_is_required(api: Api) -> None:
    """Each operation asks for the one capability that the description names, reading included."""
    path = f"{ROLES}/{(await create(api, 'dev'))['id']}"
    lacking = await api.with_key("owner", ALL - {Capability.ROLES_MANAGE})
    for method, where in (("GET", ROLES), ("POST", ROLES), ("GET", path), ("PATCH", path), ("DELETE", path)):
        answer = await lacking(method, where, {"identifier": "x", "rank": 1})
        assert answer.error == (403, "403.permissions", None)
        assert answer.body["error"]["extra"] == {"capability": "hubs-roles-manage"}


async def test_roles_of_another_hub(api: Api) -> None:
    """A hub's roles are not seen from another."""
    assert api.platform is not None
    other = Api(api.session, api.url, await api.platform.ensure_hub("other"), "", api.platform)
    other = await other.with_key("owner")
    role = await create(api, "dev")
    assert (await other("GET", f"{ROLES}/{role['id']}")).error[1] == "404.hub.role"
    assert [entry["identifier"] for entry in (await other("GET", ROLES)).data] == ["owner"]
