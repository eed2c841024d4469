"""The operations on images."""

import logging
from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import Connection, RowMapping

from imagesources.embedded import integrations, render
from imagesources.embedded.access import Capability
from imagesources.embedded.answers import json_response
from imagesources.embedded.endpoint import Call, operation
from imagesources.embedded.images import FILTERS, SORT_KEYS, CreateImage, ImageJob, ImageStore
from imagesources.embedded.listing import read_listing, several
from imagesources.embedded.requests import body_of
from imagesources.embedded.store import SourceStore
from imagesources.platform.models import Json

LOG = logging.getLogger(__name__)

INCLUDES = ("creators", "stack_builds", "stacks", "sources", "integrations")
METAS = ("containers_count",)


async def list_images(call: Call) -> web.Response:
    """Operation ``getImages``."""
    listing, view = read_listing(call.request.query, FILTERS, SORT_KEYS), _View(call)

    def query(connection: Connection) -> Json:
        rows = ImageStore(call.caller).page(connection, listing)
        return view.answer([view.write(row) for row in rows], connection, rows)

    return json_response(await call.services.database.read(query))


async def get_image(call: Call) -> web.Response:
    """Operation ``getImage``."""
    view = _View(call)

    def query(connection: Connection) -> Json:
        row = ImageStore(call.caller).get(connection, _image_id(call))
        return view.answer(view.write(row), connection, [row])

    return json_response(await call.services.database.read(query))


async def create_image(call: Call) -> web.Response:
    """Operation ``createImage``."""
    wanted = await body_of(call.request, CreateImage)
    row = await call.services.database.write(lambda connection: ImageStore(call.caller).create(connection, wanted))
    LOG.info("image %s was created by key %s", row["id"], call.caller.key_id)
    return json_response({"data": render.image(row)}, status=201)


async def import_image(call: Call) -> web.Response:
    """Operation ``createImageJob``, whose one action is to import."""
    await body_of(call.request, ImageJob)
    row = await call.services.database.write(
        lambda connection: ImageStore(call.caller).begin_import(connection, _image_id(call))
    )
    call.services.worker.wake()
    return json_response({"data": render.job_descriptor("import", row)})


async def delete_image(call: Call) -> web.Response:
    """Operation ``deleteImage``."""
    row = await call.services.database.write(
        lambda connection: ImageStore(call.caller).delete(connection, _image_id(call))
    )
    call.services.worker.wake()
    return json_response({"data": render.job_descriptor("delete", row)})


class _View:
    """What a reader asked to see beside the images themselves."""

    def __init__(self, call: Call) -> None:
        query = call.request.query
        self._include = several(query, "include", INCLUDES)
        self._containers_count = "containers_count" in several(query, "meta", METAS)
        self._caller = call.caller
        self._mask = call.services.options.mask_credentials
        self._platform_id = call.services.instance

    def write(self, row: RowMapping) -> Json:
        return render.image(row, containers_count=self._containers_count)

    def answer(self, data: object, connection: Connection, rows: Sequence[RowMapping]) -> Json:
        """Wrap the data, and add what it refers to; there are no stacks here."""
        if not self._include:
            return {"data": data}
        includes: Json = {name: {} for name in ("stack_builds", "stacks") if name in self._include}
        if "stacks" in self._include:
            includes["stacks:identifiers"] = {}
        if "creators" in self._include:
            includes["creators"] = render.creators(connection, rows, self._platform_id)
        if "sources" in self._include:
            includes |= self._sources(connection, {row["source_id"] for row in rows})
        if "integrations" in self._include:
            builders = {row["builder_id"] for row in rows} - {None}
            includes |= render.integrations(integrations.named(connection, self._caller.hub_id, builders))
        return {"data": data, "includes": includes}

    def _sources(self, connection: Connection, source_ids: set[str]) -> Json:
        """Write the sources that the caller could list, too."""
        may = self._caller.has(Capability.SOURCES_VIEW)
        rows = SourceStore(self._caller).several(connection, source_ids) if may else []
        return {
            "sources": {row["id"]: render.source(row, mask=self._mask) for row in rows},
            "sources:identifiers": render.by_identifier(rows),
        }


def _image_id(call: Call) -> str:
    return call.request.match_info["image_id"]


_COLLECTION = "/v1/images"
_ONE = _COLLECTION + "/{image_id}"

ROUTES = (
    web.get(_COLLECTION, operation(Capability.IMAGES_VIEW, list_images)),
    web.post(_COLLECTION, operation(Capability.IMAGES_MANAGE, create_image)),
    web.get(_ONE, operation(Capability.IMAGES_VIEW, get_image)),
    web.delete(_ONE, operation(Capability.IMAGES_MANAGE, delete_image)),
    web.post(_ONE + "/tasks", operation(Capability.IMAGES_MANAGE, import_image)),
)
