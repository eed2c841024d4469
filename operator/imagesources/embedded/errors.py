"""Errors as the API writes them: the envelope (schema ``ErrorEnvelope``) and, for authentication, the OAuth shape.

A message is made of our own words: it never holds a value of the request.
"""

from typing import Any

from aiohttp import web
from pydantic import ValidationError

from imagesources.embedded.answers import json_response


class ApiError(Exception):
    """A request is refused.

    Attributes:
        code: one of the codes of schema ``Error``, such as ``404.image.source``; it begins with the HTTP status.
        source: JSON pointer (RFC 6901) to what is wrong in the request, or None.
        capability: the capability that the API key lacks, or None.
        retry_after: whole seconds to wait, or None.
    """

    def __init__(
        self,
        code: str,
        title: str,
        *,
        detail: str | None = None,
        source: str | None = None,
        capability: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {title}")
        self.code = code
        self.title = title
        self.detail = detail
        self.source = source
        self.capability = capability
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.code.partition(".")[0])

    def response(self) -> web.Response:
        """Write the error envelope."""
        said = {"detail": self.detail, "source": self.source}
        error: dict[str, Any] = {"status": self.status, "code": self.code, "title": self.title}
        error |= {key: value for key, value in said.items() if value is not None}
        if self.capability is not None:
            error["extra"] = {"capability": self.capability}
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return json_response({"error": error, "data": None}, status=self.status, headers=headers)


class NotAuthenticated(ApiError):
    """There is no valid API key; written in the OAuth shape (RFC 6749 §5.2, RFC 6750 §3)."""

    def __init__(self, detail: str) -> None:
        super().__init__("401.auth-invalid", "Not authenticated", detail=detail)

    def response(self) -> web.Response:
        """Write ``error`` and ``error_description``."""
        body = {"error": "invalid_token", "error_description": self.detail}
        return json_response(body, status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def source_not_found() -> ApiError:
    """There is no such source, or no more."""
    return ApiError("404.image.source", "Image source not found")


def identifier_taken() -> ApiError:
    """There is another resource of this kind with the identifier, and it has to be unique."""
    return ApiError("409.duplicate-found", "Duplicate found", detail="The identifier is taken.", source="/identifier")


def invalid_argument(source: str, detail: str) -> ApiError:
    """Refuse a value; ``source`` is a JSON pointer, a query parameter being a member of the root."""
    return ApiError("422.invalid-argument", "Invalid argument", detail=detail, source=source)


def from_validation(error: ValidationError) -> ApiError:
    """Translate the first thing that is wrong with a request's body."""
    first = error.errors(include_url=False)[0]
    kind, pointer, detail = first["type"], _pointer(first["loc"]), first["msg"]
    if kind == "json_invalid":
        return ApiError("400.invalid-syntax", "Invalid syntax", detail="The body is not valid JSON.")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        if not isinstance(first["input"], dict):
            return invalid_argument(pointer, "Input should be an object")
        pointer += "/type"
        detail = "Input should be " + first["ctx"].get("expected_tags", "text").replace("=", "")
    if kind == "missing" or (kind == "union_tag_not_found" and "type" not in first["input"]):
        return ApiError("422.missing-argument", "Missing argument", detail="It is required.", source=pointer)
    return invalid_argument(pointer, detail)


def _pointer(location: tuple[str | int, ...]) -> str:
    """Write a location as a JSON pointer; inside an origin, the names of the variants tried are no part of it."""
    in_origin = location[:1] == ("origin",)
    parts = [str(part) for part in location if part != "[key]" and not (in_origin and str(part).startswith("="))]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
