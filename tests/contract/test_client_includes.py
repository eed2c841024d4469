"""What the client asks for beside resources (``meta``, ``include``), and what of it is read: never a secret."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.support import documents
from tests.support.documents import HUB_ID, JOB_ID, NOT_YET, NOW, SOURCE_ID
from tests.support.hostile import always, answer
from tests.support.hostile_client import platform

from imagesources.platform.client import PlatformClient
from imagesources.platform.errors import Unanswered
from imagesources.platform.images import ImageInclude
from imagesources.platform.models import Named, Person, PersonName

ID = "651586fca6078e98982dbd77"
SECRET = "canary-Secret-77"
EVENTS = {"created": NOW, "updated": NOW, "deleted": NOT_YET}
SAME = {"id": ID, "hub_id": HUB_ID, "name": "Web", "events": EVENTS, "creator": {"id": ID, "type": "api-key"}}
LIVE = {"state": {"current": "live", "changed": NOW}}
IMAGE = {**SAME, **LIVE, "size": 1}
INTEGRATION = {**SAME, **LIVE, "identifier": "fast", "vendor": "depot", "auth": {"secret": SECRET}}
ROLE = {**SAME, **LIVE, "identifier": "dev", "rank": 1, "root": False, "capabilities": {"all": True, "specific": []}}
PERSON = {"id": ID, "name": {"first": "Ada", "last": "Byron"}, "email": {"address": SECRET}}
INCLUDES: dict[str, Any] = {
    "creators": {
        "accounts": {ID: PERSON},
        "environments": {ID: {"id": ID, "name": "Production", "services": {"token": SECRET}}},
        "api_keys": {ID: {"id": ID, "name": "ci", "secret": SECRET, "hub_id": HUB_ID, **LIVE}},
    },
    "integrations": {ID: INTEGRATION},
    "integrations:identifiers": {"fast": [ID]},
    "sources": {SOURCE_ID: documents.source()},
    "stacks": {ID: {"id": ID, "name": "Shop", "variables": {"password": SECRET}}},
    "stack_builds": {ID: {"id": ID, "stack_id": ID, "instructions": {"token": SECRET}}},
}

EVERYTHING: tuple[ImageInclude, ...] = ("creators", "stack_builds", "stacks", "sources", "integrations")

Call = Callable[[PlatformClient], Awaitable[Any]]


async def images(client: PlatformClient) -> list[object]:
    """Lists images with all that they name."""
    return [image async for image in client.list_images(containers_count=True, include=EVERYTHING)]


async def jobs(client: PlatformClient) -> list[object]:
    """Lists jobs with their creators."""
    return [job async for job in client.list_jobs(include=["creators"])]


async def integrations(client: PlatformClient) -> list[object]:
    """Lists integrations with their vendors' definitions."""
    return [integration async for integration in client.list_integrations(definition=True)]


async def roles(client: PlatformClient) -> list[object]:
    """Lists roles with their counts."""
    return [role async for role in client.list_roles(counts=True)]


OF_IMAGES = {"include": ",".join(EVERYTHING), "meta": "containers_count"}
ASKED: list[tuple[Call, Any, dict[str, str]]] = [
    (
        lambda client: client.get_source(SOURCE_ID, images_count=True, include=["creators", "integrations"]),
        documents.source(),
        {"meta": "images_count", "include": "creators,integrations"},
    ),
    (
        lambda client: client.list_page(include=["integrations"]),
        [documents.source()],
        {"include": "integrations"},
    ),
    (
        lambda client: client.get_image(ID, containers_count=True, include=EVERYTHING),
        IMAGE,
        OF_IMAGES,
    ),
    (images, [IMAGE], OF_IMAGES),
    (jobs, [documents.job()], {"include": "creators"}),
    (lambda client: client.get_integration(ID, definition=True), INTEGRATION, {"meta": "definition"}),
    (lambda client: client.create_integration({}, definition=True), INTEGRATION, {"meta": "definition"}),
    (lambda client: client.update_integration(ID, {}, definition=True), INTEGRATION, {"meta": "definition"}),
    (integrations, [INTEGRATION], {"meta": "definition"}),
    (lambda client: client.get_role(ID, counts=True), ROLE, {"meta": "counts"}),
    (roles, [ROLE], {"meta": "counts"}),
]


@pytest.mark.parametrize(("call", "data", "asked"), ASKED)
async def test_what_is_asked_for(call: Call, data: Any, asked: dict[str, str]) -> None:
    """What is wanted beside a resource is a parameter of the request, and no secret of the answer is shown."""
    async with platform(always(answer(200, {"data": data, "includes": INCLUDES}))) as (client, server):
        found = await call(client)
    query = dict(parse_qsl(urlsplit(server.requests[0].split(b" ")[1].decode()).query))
    assert {name: query[name] for name in ("meta", "include") if name in query} == asked
    for one in found if isinstance(found, list | tuple) else [found]:
        assert SECRET not in repr(one) + one.model_dump_json()
        assert (getattr(one, "includes", None) is not None) == ("include" in asked)


async def test_what_is_read_of_includes() -> None:
    """Of what an answer brings along there are names and ids, with each resource of it."""
    async with platform(always(answer(200, {"data": [IMAGE, {**IMAGE, "id": JOB_ID}], "includes": INCLUDES}))) as (
        client,
        _,
    ):
        first, second = [image async for image in client.list_images(include=["creators"])]
    assert first.includes is not None
    assert first.includes is second.includes
    creators = first.includes.creators
    assert creators.api_keys == {ID: Named(id=ID, name="ci")}
    assert creators.accounts == {ID: Person(id=ID, name=PersonName(first="Ada", last="Byron"))}
    assert creators.environments[ID].name == "Production"
    assert first.includes.integrations[ID].identifier == "fast"
    assert first.includes.sources[SOURCE_ID].name == "Web"
    assert first.includes.stacks[ID].name == "Shop"
    assert first.includes.stack_builds[ID].stack_id == ID


@pytest.mark.parametrize(
    "wrong",
    [
        {"integrations": {ID: {**INTEGRATION, "hub_id": ID}}},
        {"sources": {SOURCE_ID: documents.source(hub_id=ID)}},
        {"creators": {"api_keys": {ID: {"id": SECRET, "name": SECRET}}}},
        {"integrations": [SECRET]},
        [SECRET],
    ],
)
async def test_includes_are_checked(wrong: object) -> None:
    """What an answer brings along belongs to our hub and fits, or the answer is none; unasked, it is not looked at."""
    async with platform(always(answer(200, {"data": documents.source(), "includes": wrong}))) as (client, _):
        with pytest.raises(Unanswered) as caught:
            await client.get_source(SOURCE_ID, include=["creators", "integrations"])
        assert (await client.get_source(SOURCE_ID)).includes is None
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


async def test_what_is_counted() -> None:
    """The counts and definitions that were asked for are there, as the description has them."""
    count = {"total": 3, "available": 2, "state": {"running": 2, "deleted": 1}}
    async with platform(always(answer(200, {"data": {**IMAGE, "meta": {"containers_count": count}}}))) as (client, _):
        image = await client.get_image(ID, containers_count=True)
    assert image.meta is not None
    assert image.meta.containers_count is not None
    assert image.meta.containers_count.model_dump() == count
    async with platform(always(answer(200, {"data": {**ROLE, "meta": {"counts": {"members": 1, "api_keys": 2}}}}))) as (
        client,
        _,
    ):
        role = await client.get_role(ID, counts=True)
    assert role.meta is not None
    assert role.meta.counts is not None
    assert (role.meta.counts.members, role.meta.counts.api_keys) == (1, 2)
