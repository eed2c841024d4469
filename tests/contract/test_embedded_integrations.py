"""Integrations on the embedded platform, and the sources that are built by one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.embedded import INTEGRATIONS, SOURCES, Api, embedded_api

from imagesources.embedded import ALL, Capability, Options
from imagesources.embedded.origins import MASK

AUTH = {"api_key": "a-secret-token", "region": "eu", "client_id": None}


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform, with all rights."""
    async with embedded_api(database) as client:
        yield client


async def test_create_and_get(api: Api) -> None:
    """An integration is live at once, and is read as it was created."""
    created = await api.integration("farm", auth=AUTH, extra={"project": "p1"})
    assert created["state"]["current"] == "live"
    assert (created["auth"], created["extra"]) == (AUTH, {"project": "p1"})
    assert created["creator"]["type"] == "api-key"
    assert (await api("GET", f"{INTEGRATIONS}/{created['id']}")).data == created
    bare = await api.integration("bare")
    assert (bare["auth"], bare["extra"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "code", "source"),
    [
        ({"identifier": "farm", "vendor": "depot"}, "422.missing-argument", "/name"),
        ({"name": "Farm", "identifier": "farm", "vendor": "depot"}, "422.invalid-argument", "/name"),
        ({"name": "The farm", "identifier": "fa", "vendor": "depot"}, "422.invalid-argument", "/identifier"),
        ({"name": "The farm", "identifier": "farm", "vendor": "nobody"}, "422.invalid-argument", "/vendor"),
        (
            {"name": "The farm", "identifier": "farm", "vendor": "depot", "auth": {"api_key": 1}},
            "422.invalid-argument",
            "/auth/api_key",
        ),
        ({"name": "The farm", "identifier": "taken", "vendor": "depot"}, "409.duplicate-found", "/identifier"),
    ],
)
async def test_create_refuses(api: Api, body: dict[str, Any], code: str, source: str) -> None:
    """What is wrong is named, and an identifier is unique."""
    await api.integration("taken")
    assert (await api("POST", INTEGRATIONS, body)).error == (int(code[:3]), code, source)


async def test_update_replaces_what_is_sent(api: Api) -> None:
    """What is absent stays, auth and extra can be lifted, and a null name is none."""
    created = await api.integration("farm", auth=AUTH, extra={"a": "b"})
    path = f"{INTEGRATIONS}/{created['id']}"
    assert (await api("PATCH", path, {})).data == created
    renamed = (await api("PATCH", path, {"name": "Another", "identifier": "other"})).data
    assert (renamed["name"], renamed["identifier"], renamed["auth"]) == ("Another", "other", AUTH)
    emptied = (await api("PATCH", path, {"name": None, "auth": None, "extra": None})).data
    assert (emptied["name"], emptied["auth"], emptied["extra"]) == ("Another", None, None)
    assert (await api("PATCH", path, {"identifier": "ab"})).error[2] == "/identifier"
    await api.integration("farm")
    assert (await api("PATCH", path, {"identifier": "farm"})).error[1] == "409.duplicate-found"


async def test_list_pages_sorts_and_filters(api: Api) -> None:
    """The list has pages, sort keys, and the filters that are described."""
    for identifier, vendor in (("farm", "depot"), ("cloud", "vultr"), ("mill", "depot")):
        await api.integration(identifier, vendor)

    async def listed(query: str) -> list[str]:
        return [entry["identifier"] for entry in (await api("GET", f"{INTEGRATIONS}?{query}")).data]

    assert await listed("sort=-identifier&page[size]=2") == ["mill", "farm"]
    assert await listed("sort=vendor,-id") == ["mill", "farm", "cloud"]
    assert await listed("filter[category]=image-builder") == ["farm", "mill"]
    assert await listed("filter[category]=nonsense") == []
    assert await listed("filter[search]=VULTR") == ["cloud"]
    assert await listed("filter[state]=live,new&page[size]=1&page[number]=2") == ["cloud"]
    assert (await api("GET", f"{INTEGRATIONS}?filter[state]=active")).error[2] == "/filter/state"


async def test_definition(api: Api) -> None:
    """The vendor's definition comes as meta if it is asked for."""
    created = await api.integration("farm")
    assert "meta" not in created
    for path in (INTEGRATIONS, f"{INTEGRATIONS}/{created['id']}"):
        data = (await api("GET", f"{path}?meta=definition")).data
        shown = data[0] if isinstance(data, list) else data
        assert shown["meta"]["definition"]["vendor"] == "depot"


async def test_secrets_are_masked(database: str) -> None:
    """Where credentials are masked those of integrations are; what is no secret, and null, is shown."""
    async with embedded_api(database, Options(step_seconds=0.01, mask_credentials=True)) as api:
        created = await api.integration("farm", auth=AUTH)
        assert created["auth"] == {"api_key": MASK, "region": "eu", "client_id": None}
        assert (await api("GET", INTEGRATIONS)).data[0]["auth"] == created["auth"]


async def test_delete_is_a_job(api: Api) -> None:
    """An integration is deleted by a job, its credentials are forgotten, and its identifier is free again."""
    created = await api.integration("farm", auth=AUTH)
    path = f"{INTEGRATIONS}/{created['id']}"
    answer = await api("DELETE", path)
    assert (answer.status, answer.data["action"]) == (202, "delete")
    assert (await api.ended(answer.data["job"]["id"]))["state"]["current"] == "completed"
    assert (await api("GET", path)).error == (404, "404.hub.integration", None)
    assert (await api("GET", INTEGRATIONS)).data == []
    (deleted,) = (await api("GET", f"{INTEGRATIONS}?filter[state]=deleted")).data
    assert (deleted["id"], deleted["auth"]) == (created["id"], None)
    await api.integration("farm")


async def test_while_it_is_deleted(database: str) -> None:
    """It changes no more, builds no more, and a second delete finds the same job."""
    async with embedded_api(database, Options(step_seconds=600)) as api:
        created = await api.integration("farm")
        path = f"{INTEGRATIONS}/{created['id']}"
        jobs = {(await api("DELETE", path)).data["job"]["id"] for _ in range(2)}
        assert len(jobs) == 1
        assert (await api("PATCH", path, {"name": "Another"})).error[1] == "403.invalid-state"
        body = {"type": "direct", "origin": {"type": "none"}, "builder": {"integration_id": "farm"}}
        assert (await api("POST", SOURCES, body)).error[1:] == ("403.invalid-state", "/builder/integration_id")


@pytest.mark.parametrize("integration_id", ["nonsense", "0" * 24])
async def test_unknown_integration(api: Api, integration_id: str) -> None:
    """An id that is none, or nobody's, is not found by any operation."""
    for method in ("GET", "PATCH", "DELETE"):
        body = {} if method == "PATCH" else None
        answer = await api(method, f"{INTEGRATIONS}/{integration_id}", body)
        assert answer.error == (404, "404.hub.integration", None)


async def test_capabilities_are_required(api: Api) -> None:
    """Reading asks for the view capability, everything else for the manage capability."""
    path = f"{INTEGRATIONS}/{(await api.integration('farm'))['id']}"
    for capability, calls in (
        (Capability.INTEGRATIONS_VIEW, [("GET", INTEGRATIONS), ("GET", path)]),
        (Capability.INTEGRATIONS_MANAGE, [("POST", INTEGRATIONS), ("PATCH", path), ("DELETE", path)]),
    ):
        lacking = await api.with_key("owner", ALL - {capability})
        for method, where in calls:
            answer = await lacking(method, where, {})
            assert answer.error == (403, "403.permissions", None)
            assert answer.body["error"]["extra"] == {"capability": capability}


async def test_builder_by_id_and_identifier(api: Api) -> None:
    """A source names its builder by id or identifier, keeps the name as it was written, and the include resolves it."""
    farm, mill = await api.integration("farm", auth=AUTH), await api.integration("mill")
    by_identifier = await api.create("one", builder={"integration_id": "farm"})
    by_id = await api.create("two", builder={"integration_id": mill["id"]})
    assert by_identifier["builder"] == {"integration_id": "farm"}
    assert by_id["builder"] == {"integration_id": mill["id"]}
    await api.create("three", builder={"integration_id": farm["id"]})
    await api.create("four")
    includes = (await api("GET", f"{SOURCES}?include=integrations")).body["includes"]
    assert includes["integrations:identifiers"] == {"farm": [farm["id"]], "mill": [mill["id"]]}
    assert includes["integrations"].keys() == {farm["id"], mill["id"]}
    assert "auth" not in includes["integrations"][farm["id"]]
    one = await api("GET", f"{SOURCES}/{by_identifier['id']}?include=integrations")
    assert set(one.body["includes"]["integrations"]) == {farm["id"]}


async def test_builder_must_exist_and_build(api: Api) -> None:
    """A builder that does not exist, is of another hub, or builds no images is refused by create and update."""
    await api.integration("cloud", "vultr")
    assert api.platform is not None
    other = Api(api.session, api.url, await api.platform.ensure_hub("other"), "", api.platform)
    foreign = await (await other.with_key("owner")).integration("foreign")
    path = f"{SOURCES}/{(await api.create())['id']}"
    for name, status, code in (
        ("nobody", 404, "404.hub.integration"),
        ("0" * 24, 404, "404.hub.integration"),
        (foreign["id"], 404, "404.hub.integration"),
        ("cloud", 422, "422.invalid-argument"),
    ):
        builder = {"integration_id": name}
        body = {"type": "direct", "origin": {"type": "none"}, "builder": builder}
        for answer in (await api("POST", SOURCES, body), await api("PATCH", path, {"builder": builder})):
            assert answer.error == (status, code, "/builder/integration_id")
    assert (await api("PATCH", path, {"builder": {"integration_id": None}})).status == 200
    assert len(await api.names()) == 1


async def test_builder_that_is_gone(api: Api) -> None:
    """A source keeps the name of a builder that was deleted; it is not included, and no image can be made."""
    farm = await api.integration("farm")
    source = await api.create(builder={"integration_id": "farm"})
    await api.ended((await api("DELETE", f"{INTEGRATIONS}/{farm['id']}")).data["job"]["id"])
    answer = await api("GET", f"{SOURCES}/{source['id']}?include=integrations")
    assert answer.data["builder"] == {"integration_id": "farm"}
    assert answer.body["includes"] == {"integrations": {}, "integrations:identifiers": {}}
    made = await api("POST", "/v1/images", {"source_id": source["id"]})
    assert made.error == (404, "404.hub.integration", "/builder/integration_id")
