"""JSON answers, written by pydantic's serializer: a page of a thousand sources is most of a megabyte."""

from collections.abc import Mapping

from aiohttp import web
from pydantic_core import to_json

from imagesources.platform.models import Json


def json_response(content: Json, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with a document."""
    body = to_json(content)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")
