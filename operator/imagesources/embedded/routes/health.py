"""For those who run the platform, without a key: ``/healthz`` and ``/metrics``."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import select

from imagesources.embedded.answers import json_response
from imagesources.embedded.endpoint import SERVICES
from imagesources.embedded.metrics import METRICS
from imagesources.embedded.schema import instance


async def health(request: web.Request) -> web.Response:
    """Answer 200 when the store can be read; else the error says why not."""
    await request.app[SERVICES].database.read(lambda connection: connection.scalar(select(instance.c.id)))
    return json_response({"status": "ok"})


async def metrics(request: web.Request) -> web.Response:
    """Answer what was counted since the start, for Prometheus."""
    body = await request.app[METRICS].exposition(request.app[SERVICES].database)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = (web.get("/healthz", health), web.get("/metrics", metrics))
