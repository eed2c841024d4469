"""The operations on image sources."""

import logging
from collections.abc import Iterable, Sequence

from aiohttp import web
from sqlalchemy import Connection, RowMapping

from imagesources.embedded import images, integrations, removal, render
from imagesources.embedded.access import Capability
from imagesources.embedded.answers import json_response
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
        return view.answer(view.write(connection, rows), connection, rows)

    return json_response(await call.services.database.read(query))


async def get_source(call: Call) -> web.Response:
    """Operation ``getImageSource``."""
    view = _View(call)

    def query(connection: Connection) -> Json:
        rows = [SourceStore(call.caller).get(connection, _source_id(call))]
        return view.answer(view.write(connection, rows)[0], connection, rows)

    return json_response(await call.services.database.read(query))


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
    return json_response({"data": render.job_descriptor("delete", row)}, status=202)


class _View:
    """What a reader asked to see beside the sources themselves."""

    def __init__(self, call: Call) -> None:
        query = call.request.query
        self._include = several(query, "include", INCLUDES)
        self._images_count = "images_count" in several(query, "meta", METAS)
        self._mask = call.services.options.mask_credentials
        self._platform_id = call.services.instance
        self._hub_id = call.caller.hub_id

    def write(self, connection: Connection, rows: Sequence[RowMapping]) -> list[Json]:
        if not self._images_count:
            return [render.source(row, mask=self._mask) for row in rows]
        counts = images.counts(connection, (row["id"] for row in rows))
        return [render.source(row, mask=self._mask, counts=counts.get(row["id"], {})) for row in rows]

    def answer(self, data: object, connection: Connection, rows: Sequence[RowMapping]) -> Json:
        """Wrap the data, and add what it refers to."""
        includes: Json = {}
        if "creators" in self._include:
            includes["creators"] = render.creators(connection, rows, self._platform_id)
        if "integrations" in self._include:
            includes |= includes_of_builders(connection, self._hub_id, rows)
        return {"data": data, "includes": includes} if self._include else {"data": data}


def includes_of_builders(connection: Connection, hub_id: str, rows: Iterable[RowMapping]) -> Json:
    """Write the integrations that sources name as builders, each once, and which identifier means which."""
    names = {name for row in rows if (name := (row["builder"] or {}).get("integration_id"))}
    return render.integrations(integrations.named(connection, hub_id, names))


def _source_id(call: Call) -> str:
    return call.request.match_info["source_id"]


def _changed(call: Call, row: RowMapping, what: str, status: int = 200) -> web.Response:
    """Answer with a changed source; a caller who could not read it sees no credentials here either."""
    LOG.info("source %s was %s by key %s", row["id"], what, call.caller.key_id)
    may_view = call.caller.has(Capability.SOURCES_VIEW) and call.caller.may(row["acl"], "view")
    written = render.source(row, mask=call.services.options.mask_credentials or not may_view)
    return json_response({"data": written}, status=status)


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
