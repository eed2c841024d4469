"""The operations on integrations; secrets are masked as those of origins are."""

import logging
from functools import partial

from aiohttp import web
from sqlalchemy import RowMapping

from imagesources.embedded import render
from imagesources.embedded.access import Capability
from imagesources.embedded.answers import json_response
from imagesources.embedded.endpoint import Call, operation
from imagesources.embedded.integrations import (
    FILTERS,
    SORT_KEYS,
    CreateIntegration,
    IntegrationStore,
    UpdateIntegration,
    masked_auth,
)
from imagesources.embedded.listing import read_listing, several
from imagesources.embedded.requests import body_of
from imagesources.embedded.vendors import VENDORS
from imagesources.platform.models import Json

LOG = logging.getLogger(__name__)

METAS = ("definition",)


async def list_integrations(call: Call) -> web.Response:
    """Operation ``getIntegrations``."""
    listing, view = read_listing(call.request.query, FILTERS, SORT_KEYS), _View(call)
    rows = await call.services.database.read(lambda connection: IntegrationStore(call.caller).page(connection, listing))
    return json_response({"data": [view.write(row) for row in rows]})


async def get_integration(call: Call) -> web.Response:
    """Operation ``getIntegration``."""
    view = _View(call)
    row = await call.services.database.read(lambda connection: IntegrationStore(call.caller).get(connection, _id(call)))
    return json_response({"data": view.write(row)})


async def create_integration(call: Call) -> web.Response:
    """Operation ``createIntegration``."""
    view, wanted = _View(call), await body_of(call.request, CreateIntegration)
    row = await call.write_unique(lambda connection: IntegrationStore(call.caller).create(connection, wanted))
    LOG.info("integration %s was created by key %s", row["id"], call.caller.key_id)
    return json_response({"data": view.write(row)}, status=201)


async def update_integration(call: Call) -> web.Response:
    """Operation ``updateIntegration``."""
    view, wanted = _View(call), await body_of(call.request, UpdateIntegration)
    row = await call.write_unique(
        lambda connection: IntegrationStore(call.caller).update(connection, _id(call), wanted)
    )
    LOG.info("integration %s was updated by key %s", row["id"], call.caller.key_id)
    return json_response({"data": view.write(row)})


async def delete_integration(call: Call) -> web.Response:
    """Operation ``deleteIntegration``."""
    row = await call.services.database.write(
        lambda connection: IntegrationStore(call.caller).delete(connection, _id(call))
    )
    call.services.worker.wake()
    return json_response({"data": render.job_descriptor("delete", row)}, status=202)


class _View:
    """What a reader asked to see, and may."""

    def __init__(self, call: Call) -> None:
        self._definition = "definition" in several(call.request.query, "meta", METAS)
        self._mask = call.services.options.mask_credentials

    def write(self, row: RowMapping) -> Json:
        written = render.integration(row, definition=VENDORS[row["vendor"]] if self._definition else None)
        auth = row["auth"]
        return {**written, "auth": masked_auth(auth) if auth and self._mask else auth}


def _id(call: Call) -> str:
    return call.request.match_info["integration_id"]


_operation = partial(operation, hub_required=False)
_COLLECTION = "/v1/hubs/current/integrations"
_ONE = _COLLECTION + "/{integration_id}"

ROUTES = (
    web.get(_COLLECTION, _operation(Capability.INTEGRATIONS_VIEW, list_integrations)),
    web.post(_COLLECTION, _operation(Capability.INTEGRATIONS_MANAGE, create_integration)),
    web.get(_ONE, _operation(Capability.INTEGRATIONS_VIEW, get_integration)),
    web.patch(_ONE, _operation(Capability.INTEGRATIONS_MANAGE, update_integration)),
    web.delete(_ONE, _operation(Capability.INTEGRATIONS_MANAGE, delete_integration)),
)
