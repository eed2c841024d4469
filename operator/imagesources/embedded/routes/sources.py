"""The operations on image sources."""

import logging
from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import Connection, RowMapping

from imagesources.embedded import removal, render
from imagesources.embedded.access import Capability
from imagesources.embedded.endpoint import Call, operation
from imagesources.embedded.listing import read_listing, several
from imagesources.embedded.requests import CreateSource, UpdateAccess, UpdateSource, body_of
from imagesources.embedded.store import FILTERS, SORT_KEYS, SourceStore
from imagesources.platform.models import Json

LOG = logging.getLogger(__name__)

INCLUDES = ("creators", "integrations")
METAS = ("images_count",)


async def list_sources(call: Call) -> web.Response:
    """Operation ``getImageSources``."""
    listing = read_listing(call.request.query, FILTERS, SORT_KEYS)
    view = _View(call)

    def query(connection: Connection) -> Json:
        rows = SourceStore(call.caller).page(connection, listing)
        return view.answer([view.write(row) for row in rows], connection, rows)

    return web.json_response(await call.services.database.read(query))


async def get_source(call: Call) -> web.Response:
    """Operation ``getImageSource``."""
    view = _View(call)

    def query(connection: Connection) -> Json:
        row = SourceStore(call.caller).get(connection, _source_id(call))
        return view.answer(view.write(row), connection, [row])

    return web.json_response(await call.services.database.read(query))


async def create_source(call: Call) -> web.Response:
    """Operation ``createImageSource``."""
    wanted = await body_of(call.request, CreateSource)
    row = await call.services.database.write(lambda connection: SourceStore(call.caller).create(connection, wanted))
    return _changed(call, row, "created", status=201)


async def update_source(call: Call) -> web.Response:
    """Operation ``updateImageSource``."""
    wanted = await body_of(call.request, UpdateSource)
    row = await call.services.database.write(
        lambda connection: SourceStore(call.caller).update(connection, _source_id(call), wanted)
    )
    return _changed(call, row, "updated")


async def update_access(call: Call) -> web.Response:
    """Operation ``updateImageSourceAccess``; without ``acl`` in the body nothing changes."""
    wanted = await body_of(call.request, UpdateAccess)
    row = await call.services.database.write(
        lambda connection: SourceStore(call.caller).set_access(connection, _source_id(call), wanted)
    )
    return _changed(call, row, "given other access")


async def delete_source(call: Call) -> web.Response:
    """Operation ``deleteImageSource``."""
    row = await call.services.database.write(
        lambda connection: removal.delete_source(connection, call.caller, _source_id(call))
    )
    call.services.worker.wake()
    LOG.info("source %s is deleted by job %s", _source_id(call), row["id"])
    return web.json_response({"data": render.job_descriptor("delete", row)}, status=202)


class _View:
    """What a reader asked to see beside the sources themselves."""

    def __init__(self, call: Call) -> None:
        query = call.request.query
        self._include = several(query, "include", INCLUDES)
        self._images_count = "images_count" in several(query, "meta", METAS)
        self._mask = call.services.options.mask_credentials
        self._platform_id = call.services.instance

    def write(self, row: RowMapping) -> Json:
        return render.source(row, mask=self._mask, images_count=self._images_count)

    def answer(self, data: object, connection: Connection, rows: Sequence[RowMapping]) -> Json:
        """Wrap the data, and add what it refers to; a hub has no integrations here yet."""
        includes: Json = {}
        if "creators" in self._include:
            includes["creators"] = render.creators(connection, rows, self._platform_id)
        if "integrations" in self._include:
            includes |= {"integrations": {}, "integrations:identifiers": {}}
        return {"data": data, "includes": includes} if self._include else {"data": data}


def _source_id(call: Call) -> str:
    return call.request.match_info["source_id"]


def _changed(call: Call, row: RowMapping, what: str, status: int = 200) -> web.Response:
    LOG.info("source %s was %s by key %s", row["id"], what, call.caller.key_id)
    written = render.source(row, mask=call.services.options.mask_credentials)
    return web.json_response({"data": written}, status=status)


_COLLECTION = "/v1/images/sources"
_ONE = _COLLECTION + "/{source_id}"

ROUTES = (
    web.get(_COLLECTION, operation(Capability.SOURCES_VIEW, list_sources)),
    web.post(_COLLECTION, operation(Capability.SOURCES_MANAGE, create_source)),
    web.get(_ONE, operation(Capability.SOURCES_VIEW, get_source)),
    web.patch(_ONE, operation(Capability.SOURCES_MANAGE, update_source)),
    web.delete(_ONE, operation(Capability.SOURCES_MANAGE, delete_source)),
    web.patch(_ONE + "/access", operation(Capability.SOURCES_MANAGE, update_access)),
)
