"""The operations on roles, and the list of capabilities."""

import logging

from aiohttp import web
from sqlalchemy import Connection

from imagesources.embedded import render
from imagesources.embedded.access import Capability
from imagesources.embedded.answers import json_response
from imagesources.embedded.endpoint import Call, operation
from imagesources.embedded.listing import read_listing, several
from imagesources.embedded.requests import body_of
from imagesources.embedded.roles import FILTERS, SORT_KEYS, RoleStore, WrittenRole, api_key_counts
from imagesources.platform.capabilities import CAPABILITIES, caption
from imagesources.platform.models import Json

LOG = logging.getLogger(__name__)

METAS = ("counts",)


async def list_capabilities(_: web.Request) -> web.Response:
    """Operation ``getHubCapabilities``, which is open to all and about no hub."""
    return json_response({"data": CAPABILITIES, "meta": {"captions": {name: caption(name) for name in CAPABILITIES}}})


async def list_roles(call: Call) -> web.Response:
    """Operation ``getRoles``."""
    listing = read_listing(call.request.query, FILTERS, SORT_KEYS)
    counted = "counts" in several(call.request.query, "meta", METAS)

    def query(connection: Connection) -> list[Json]:
        rows = RoleStore(call.caller).page(connection, listing)
        counts = api_key_counts(connection, rows) if counted else {}
        return [render.role(row, api_keys_count=counts.get(row["id"], 0) if counted else None) for row in rows]

    return json_response({"data": await call.services.database.read(query)})


async def get_role(call: Call) -> web.Response:
    """Operation ``getRole``."""
    counted = "counts" in several(call.request.query, "meta", METAS)

    def query(connection: Connection) -> Json:
        row = RoleStore(call.caller).get(connection, _role_id(call))
        counts = api_key_counts(connection, [row])
        return render.role(row, api_keys_count=counts.get(row["id"], 0) if counted else None)

    return json_response({"data": await call.services.database.read(query)})


async def create_role(call: Call) -> web.Response:
    """Operation ``createRole``."""
    wanted = await body_of(call.request, WrittenRole)
    row = await call.write_unique(lambda connection: RoleStore(call.caller).create(connection, wanted))
    LOG.info("role %s was created by key %s", row["id"], call.caller.key_id)
    return json_response({"data": render.role(row)}, status=201)


async def update_role(call: Call) -> web.Response:
    """Operation ``updateRole``."""
    wanted = await body_of(call.request, WrittenRole)
    row = await call.write_unique(lambda connection: RoleStore(call.caller).update(connection, _role_id(call), wanted))
    LOG.info("role %s was updated by key %s", row["id"], call.caller.key_id)
    return json_response({"data": render.role(row)})


async def delete_role(call: Call) -> web.Response:
    """Operation ``deleteRole``."""
    row = await call.services.database.write(
        lambda connection: RoleStore(call.caller).delete(connection, _role_id(call))
    )
    call.services.worker.wake()
    return json_response({"data": render.job_descriptor("delete", row)}, status=202)


def _role_id(call: Call) -> str:
    return call.request.match_info["role_id"]


_COLLECTION = "/v1/hubs/current/roles"
_ONE = _COLLECTION + "/{role_id}"

ROUTES = (
    web.get("/v1/hubs/capabilities", list_capabilities),
    web.get(_COLLECTION, operation(Capability.ROLES_MANAGE, list_roles)),
    web.post(_COLLECTION, operation(Capability.ROLES_MANAGE, create_role)),
    web.get(_ONE, operation(Capability.ROLES_MANAGE, get_role)),
    web.patch(_ONE, operation(Capability.ROLES_MANAGE, update_role)),
    web.delete(_ONE, operation(Capability.ROLES_MANAGE, delete_role)),
)
