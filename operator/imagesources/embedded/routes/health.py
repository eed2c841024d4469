"""``/healthz``: is the platform able to answer?"""

from aiohttp import web
from sqlalchemy import select

from imagesources.embedded.endpoint import SERVICES
from imagesources.embedded.schema import instance


async def health(request: web.Request) -> web.Response:
    """Answer 200 when the store can be read; else the error says why not."""
    await request.app[SERVICES].database.read(lambda connection: connection.scalar(select(instance.c.id)))
    return web.json_response({"status": "ok"})


ROUTES = (web.get("/healthz", health),)
