"""Images on the embedded platform: made from sources, counted by them, and gone with them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.embedded import SOURCES, Api, embedded_api

from imagesources.embedded import ALL, Capability, Options
from imagesources.embedded.origins import MASK

IMAGES = "/v1/images"
HUB = {"type": "docker-hub", "details": {"target": "nginx:1.29", "username": "ci", "token": "a-secret-token"}}
STATES = ("new", "downloading", "building", "verifying", "saving", "live", "deleting")


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    """A client of a new platform, with all rights."""
    async with embedded_api(database) as client:
        yield client


async def make(api: Api, source: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """Creates an image of a source and returns it."""
    return dict((await api("POST", IMAGES, {"source_id": source["id"], **properties})).data)


async def imported(api: Api, image: dict[str, Any]) -> dict[str, Any]:
    """Imports an image, waits for it, and returns it."""
    answer = await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "import"})
    assert answer.data["action"] == "import"
    await api.ended(answer.data["job"]["id"])
    return dict((await api("GET", f"{IMAGES}/{image['id']}")).data)


async def counted(api: Api, source: dict[str, Any]) -> tuple[int, dict[str, int]]:
    """Returns how many images a source has, in all and by those states that some are in."""
    meta = (await api("GET", f"{SOURCES}/{source['id']}?meta=images_count")).data["meta"]["images_count"]
    assert set(meta["state"]) == set(STATES)
    return meta["total"], {state: count for state, count in meta["state"].items() if count}


async def test_create_remembers_the_source(api: Api) -> None:
    """An image is new, has its source's name, and remembers what it is made from without the credentials."""
    farm = await api.integration("farm")
    source = await api.create("Web", origin=HUB, builder={"integration_id": "farm"})
    image = await make(api, source)
    assert image["name"] == "Web"
    assert image["state"]["current"] == "new"
    assert image["builder"] == {"integration_id": farm["id"]}
    details = {"id": source["id"], "origin": {**HUB, "details": {**HUB["details"], "token": MASK}}}
    assert image["source"] == {"type": "direct", "details": details}
    assert (await api("GET", f"{IMAGES}/{image['id']}")).data == image
    build = {"args": {"A": "b"}, "use_disk": True}
    other = await make(api, source, name="Other", build=build, override={"target": "nginx:2"})
    assert (other["name"], other["build"], other["source"]["override"]) == ("Other", build, {"target": "nginx:2"})


async def test_image_of_a_stack_build(api: Api) -> None:
    """Each type of source has its own form in an image."""
    image = await make(api, await api.create(type="stack-build"))
    assert set(image["source"]["details"]) == {"id", "stack_id", "containers", "origin"}
    assert (await make(api, await api.create(type="bucket")))["source"]["type"] == "bucket"


@pytest.mark.parametrize(
    ("body", "code", "source"),
    [
        ({}, "422.missing-argument", "/source_id"),
        ({"source_id": "nonsense"}, "404.image.source", None),
        ({"source_id": "0" * 24}, "404.image.source", None),
        ({"source_id": "ID", "build": {"args": {"a": 1}}}, "422.invalid-argument", "/build/args/a"),
        ({"source_id": "ID", "override": {"targz_url": 1}}, "422.invalid-argument", "/override/targz_url"),
    ],
)
async def test_create_refuses(api: Api, body: dict[str, Any], code: str, source: str | None) -> None:
    """What is wrong is named."""
    if body.get("source_id") == "ID":
        body = {**body, "source_id": (await api.create(origin=HUB))["id"]}
    assert (await api("POST", IMAGES, body)).error == (int(code[:3]), code, source)


async def test_import_passes_through_the_states(database: str) -> None:
    """An import takes an image from new to live, and its source counts it by state on the way."""
    async with embedded_api(database, Options(step_seconds=0.15)) as api:
        source = await api.create(origin=HUB)
        image = await make(api, source)
        assert await counted(api, source) == (1, {"new": 1})
        job_id = (await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "import"})).data["job"]["id"]
        assert (await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "import"})).data["job"]["id"] == job_id
        seen = []
        async with asyncio.timeout(20):
            while "live" not in seen:
                total, states = await counted(api, source)
                assert (total, sum(states.values())) == (1, 1)
                seen += [state for state in states if state not in seen]
                await asyncio.sleep(0.01)
        assert seen == ["downloading", "verifying", "saving", "live"]
        again = await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "import"})
        assert again.error == (403, "403.invalid-state", None)
        wrong = await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "fly"})
        assert wrong.error == (422, "422.invalid-argument", "/action")


async def test_failed_import(database: str) -> None:
    """An import that fails says so on the image, and another one can follow."""
    async with embedded_api(database, Options(step_seconds=0.01, fail_jobs=1)) as api:
        image = await make(api, await api.create())
        assert (await imported(api, image))["state"]["error"]["message"]
        again = await imported(api, image)
        assert (again["state"]["current"], "error" in again["state"]) == ("live", False)


async def test_list_pages_sorts_and_filters(api: Api) -> None:
    """The list has pages, sort keys and the filters that are described."""
    web, bucket = await api.create("Web", origin=HUB), await api.create("Pail", type="bucket")
    for source, name in ((web, "First one"), (bucket, "Second"), (web, "Third")):
        await make(api, source, name=name)
    (third,) = (await api("GET", f"{IMAGES}?filter[search]=third")).data
    await imported(api, third)

    async def listed(query: str) -> list[str]:
        return [image["name"] for image in (await api("GET", f"{IMAGES}?{query}")).data]

    assert await listed("") == ["First one", "Second", "Third"]
    assert await listed("sort=-name&page[size]=1&page[number]=2") == ["Second"]
    assert await listed("filter[identifier]=first-one") == ["First one"]
    assert await listed(f"filter[source_id]={web['id']}&sort=-created") == ["Third", "First one"]
    assert await listed("filter[source_type]=bucket") == ["Second"]
    assert await listed("filter[state]=live,saving") == ["Third"]
    assert await listed("filter[search]=NGINX") == ["First one", "Third"]
    for query, source in (("filter[state]=x", "/filter/state"), ("filter[source_type]=x", "/filter/source_type")):
        assert (await api("GET", f"{IMAGES}?{query}")).error == (422, "422.invalid-argument", source)


async def test_includes_and_meta(api: Api) -> None:
    """Each include is keyed by id, each resource once; there are no stacks and no containers."""
    farm = await api.integration("farm")
    source = await api.create("Web", builder={"integration_id": "farm"})
    image, _ = await make(api, source), await make(api, source)
    query = "include=creators,stack_builds,stacks,sources,integrations&meta=containers_count"
    for path in (IMAGES, f"{IMAGES}/{image['id']}"):
        answer = await api("GET", f"{path}?{query}")
        includes = answer.body["includes"]
        assert set(includes["creators"]["api_keys"]) == {source["creator"]["id"]}
        assert includes["sources"] == {source["id"]: source}
        assert includes["sources:identifiers"] == {"web": [source["id"]]}
        assert set(includes["integrations"]) == {farm["id"]}
        assert includes["stacks"] == includes["stack_builds"] == includes["stacks:identifiers"] == {}
        shown = answer.data[0] if isinstance(answer.data, list) else answer.data
        assert shown["meta"]["containers_count"] == {"state": {}, "total": 0, "available": 0}


async def test_acl_of_the_source(api: Api) -> None:
    """Who may not view a source makes no image of it and does not get it included, nor without the capability."""
    source = await api.create(acl={"roles": {}})
    await make(api, source)
    developer = await api.with_key("developer")
    assert (await developer("POST", IMAGES, {"source_id": source["id"]})).error[1] == "403.permissions"
    unable = await api.with_key("owner", frozenset({Capability.IMAGES_VIEW}))
    for client in (developer, unable):
        answer = await client("GET", f"{IMAGES}?include=sources")
        assert len(answer.data) == 1
        assert answer.body["includes"] == {"sources": {}, "sources:identifiers": {}}


async def test_delete_is_a_job(api: Api) -> None:
    """An image is deleted by a job, and is counted no more."""
    source = await api.create()
    image = await make(api, source)
    answer = await api("DELETE", f"{IMAGES}/{image['id']}")
    assert (answer.status, answer.data["action"]) == (200, "delete")
    assert (await api.ended(answer.data["job"]["id"]))["state"]["current"] == "completed"
    assert (await api("GET", f"{IMAGES}/{image['id']}")).error == (404, "404.image", None)
    assert await counted(api, source) == (0, {})
    (deleted,) = (await api("GET", f"{IMAGES}?filter[state]=deleted")).data
    assert deleted["id"] == image["id"]


async def test_source_takes_its_images_along(database: str) -> None:
    """Deleting a source removes its images first, each of them, and makes no new one meanwhile."""
    async with embedded_api(database, Options(step_seconds=0.15)) as api:
        source, other = await api.create(), await api.create()
        images = [await make(api, source) for _ in range(3)]
        kept = await make(api, other)
        job_id = await api.delete(source["id"])
        assert (await api("POST", IMAGES, {"source_id": source["id"]})).error[1] == "403.invalid-state"
        await api.reached(job_id, lambda job: job["tasks"][0]["state"]["current"] == "completed")
        gone = [(await api("GET", f"{IMAGES}/{image['id']}")).status for image in images]
        assert gone == [404, 404, 404]
        assert (await api("GET", f"{SOURCES}/{source['id']}")).data["state"]["current"] == "deleting"
        await api.ended(job_id)
        assert [image["id"] for image in (await api("GET", IMAGES)).data] == [kept["id"]]


async def test_import_does_not_bring_back(database: str) -> None:
    """An image that is deleted while it is imported stays deleted."""
    async with embedded_api(database, Options(step_seconds=0.1)) as api:
        path = f"{IMAGES}/{(await make(api, await api.create()))['id']}"
        jobs = [
            (await api("POST", f"{path}/tasks", {"action": "import"})).data["job"]["id"],
            (await api("DELETE", path)).data["job"]["id"],
        ]
        assert [(await api.ended(job_id))["state"]["current"] for job_id in jobs] == ["completed", "completed"]
        assert (await api("GET", path)).status == 404


@pytest.mark.parametrize("image_id", ["nonsense", "0" * 24])
async def test_unknown_image(api: Api, image_id: str) -> None:
    """An id that is none, or nobody's, is not found by any operation."""
    path = f"{IMAGES}/{image_id}"
    for method, where, body in (("GET", path, None), ("DELETE", path, None), ("POST", f"{path}/tasks", "import")):
        answer = await api(method, where, body and {"action": body})
        assert answer.error == (404, "404.image", None)


async def test_capabilities_are_required(api: Api) -> None:
    """Reading asks for the view capability, everything else for the manage capability."""
    path = f"{IMAGES}/{(await make(api, await api.create()))['id']}"
    for capability, calls in (
        (Capability.IMAGES_VIEW, [("GET", IMAGES), ("GET", path)]),
        (Capability.IMAGES_MANAGE, [("POST", IMAGES), ("DELETE", path), ("POST", f"{path}/tasks")]),
    ):
        lacking = await api.with_key("owner", ALL - {capability})
        for method, where in calls:
            assert (await lacking(method, where, {})).body["error"]["extra"] == {"capability": capability}
