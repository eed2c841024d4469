"""The tests of the embedded platform once more, each request by way of the typed client, on both databases.

What is shared is every test that asks for ``api`` or ``slow``, which here are the client's, and that is about more than
what only bare HTTP can say.
"""

from collections.abc import AsyncIterator, Callable
from inspect import signature
from typing import Any

import pytest
from tests.contract import (
    test_embedded_access,
    test_embedded_images,
    test_embedded_integrations,
    test_embedded_jobs,
    test_embedded_lists,
    test_embedded_origins,
    test_embedded_roles,
    test_embedded_sources,
)
from tests.support.embedded import INTEGRATIONS, SOURCES, embedded_api
from tests.support.facts import OPERATIONS
from tests.support.through_client import CAPABILITIES, IMAGES, JOBS, ROLES, ClientApi, through_client

from imagesources.embedded import Options

MODULES = {
    "access": test_embedded_access,
    "images": test_embedded_images,
    "integrations": test_embedded_integrations,
    "jobs": test_embedded_jobs,
    "lists": test_embedded_lists,
    "origins": test_embedded_origins,
    "roles": test_embedded_roles,
    "sources": test_embedded_sources,
}

BARE = {
    *("test_access_no_valid_key", "test_access_hub_must_be_named", "test_access_bearer_in_any_case"),  # headers
    "test_access_hub_is_named_where_the_description_says_so",  # headers
    *("test_access_headers_of_any_bytes", "test_roles_capabilities_are_those_described"),  # headers
    *("test_sources_malformed_json", "test_sources_wrong_content_type", "test_sources_oversized_body"),  # bodies
    *("test_sources_unknown_operation", "test_jobs_healthz_needs_no_key"),  # paths
    *("test_access_hub_with_a_given_id", "test_access_keys_are_not_in_the_store"),  # no request
    "test_lists_page_has_twenty_unless_told",  # the client always tells
}
"""What is not shared: what the client cannot say."""


@pytest.fixture
async def api(database: str) -> AsyncIterator[ClientApi]:
    """The client of a new platform, with all rights."""
    async with embedded_api(database) as bare, through_client(bare) as client:
        yield client


@pytest.fixture
async def slow(database: str) -> AsyncIterator[ClientApi]:
    """The client of a new platform whose jobs take longer than any test."""
    async with embedded_api(database, Options(step_seconds=3600)) as bare, through_client(bare) as client:
        yield client


SHARED: dict[str, Callable[..., Any]] = {
    f"test_{kind}_{name.removeprefix('test_')}": function
    for kind, module in MODULES.items()
    for name, function in vars(module).items()
    if name.startswith("test_") and {"api", "slow"} & signature(function).parameters.keys()
}
globals().update({name: function for name, function in SHARED.items() if name not in BARE})


def test_what_is_not_shared_is_there() -> None:
    """Each test that is left out is one that could be shared."""
    assert SHARED.keys() >= BARE


async def test_every_operation_goes_through_the_client(api: ClientApi) -> None:
    """The client makes each request that is served: none of the shared tests is one of bare HTTP unseen."""
    source = await api.create()
    image = (await api("POST", IMAGES, {"source_id": source["id"]})).data
    integration = await api.integration("farm")
    role = (await api("POST", ROLES, {"identifier": "dev", "rank": 1})).data
    one = {SOURCES: source["id"], IMAGES: image["id"], INTEGRATIONS: integration["id"], ROLES: role["id"]}
    await api("PATCH", f"{SOURCES}/{source['id']}/access", {"acl": None})
    await api.ended((await api("POST", f"{IMAGES}/{image['id']}/tasks", {"action": "import"})).data["job"]["id"])
    for path in (*one, JOBS, f"{JOBS}/latest", CAPABILITIES):
        await api("GET", path)
    for collection, object_id in one.items():
        await api("GET", f"{collection}/{object_id}")
        if collection != IMAGES:
            await api("PATCH", f"{collection}/{object_id}", {"identifier": "other", "rank": 2})
        await api("DELETE", f"{collection}/{object_id}")
    assert api.tap.operations == set(OPERATIONS) - {"getHubNotificationSocketAuth"}
