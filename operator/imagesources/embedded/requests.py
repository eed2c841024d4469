"""What a client may send: the bodies of create, update and access, validated.

A property that was sent is in ``model_fields_set``: absent and null are not the same.
"""

import asyncio
from typing import Annotated, Final, TypeVar

from aiohttp import StreamReader, web
from pydantic import Field, StringConstraints, ValidationError

from imagesources.embedded.errors import ApiError, from_validation
from imagesources.embedded.origins import Body, NoneOrigin, Origin, Text
from imagesources.platform.identifiers import tokenize
from imagesources.platform.models import Json, SourceType

B = TypeVar("B", bound=Body)

BODY_LIMIT: Final = 1024 * 1024
"""Bytes that a request's body may have."""

FALLBACK_NAME: Final = "Image source"
NAME_LENGTH: Final = 255

Name = Annotated[Text, StringConstraints(max_length=NAME_LENGTH)]
FilledName = Annotated[Name, StringConstraints(min_length=1)]


class AclEntry(Body):
    """What one role may do (schema ``ACLEntry``)."""

    view: bool
    modify: bool
    manage: bool


class Acl(Body):
    """Who may do what (schema ``ACL``); no roles means nobody but root roles."""

    roles: dict[FilledName, AclEntry] = Field(default_factory=dict)


class NewBuilder(Body):
    """The integration that builds, by id or identifier."""

    integration_id: Name


class Builder(Body):
    """The integration that builds, by id or identifier, or null."""

    integration_id: Name | None = None


class About(Body):
    """What people say about a source."""

    description: Text | None


class CreateSource(Body):
    """The body of ``createImageSource``; an empty name or identifier is as good as none."""

    name: Name = ""
    identifier: Name = ""
    type: SourceType
    origin: Origin
    acl: Acl | None = None
    builder: NewBuilder | None = None
    about: About | None = None

    def effective_name(self) -> str:
        """Name the source: as given, else after its image, else by a fallback."""
        details = None if isinstance(self.origin, NoneOrigin) else self.origin.details
        return (self.name or getattr(details, "target", "") or FALLBACK_NAME)[:NAME_LENGTH]


class UpdateSource(Body):
    """The body of ``updateImageSource``: all that can be updated, whole top-level properties."""

    name: FilledName = FALLBACK_NAME
    identifier: Name | None = None
    origin: Origin = NoneOrigin(type="none")
    builder: Builder | None = None
    about: About = About(description=None)


class UpdateAccess(Body):
    """The body of ``updateImageSourceAccess``."""

    acl: Acl | None = None


def sent(body: Body) -> Json:
    """Write what was sent and is known, as JSON in its canonical form."""
    return body.model_dump(mode="json", exclude_unset=True)


def identifier_of(name: str) -> str:
    """Make an identifier of a name; one of which nothing is left gets that of ``FALLBACK_NAME``."""
    return tokenize(name) or tokenize(FALLBACK_NAME)


class Bodies:
    """The bodies of requests, of which some are on their way."""

    def __init__(self) -> None:
        self._coming: set[StreamReader] = set()
        self._stopping = False

    async def read(self, request: web.Request) -> bytes:
        """Read a body, however slowly it comes.

        Raises:
            asyncio.CancelledError: the rest does not come: the client has gone, or the server stops. Nobody is to be
                answered.
        """
        self._coming.add(request.content)
        if self._stopping:
            self._give_up(request.content)
        try:
            return await request.read()
        except OSError as error:
            raise asyncio.CancelledError from error
        finally:
            self._coming.discard(request.content)

    async def stop(self, _: web.Application) -> None:
        """Wait for no body any more: a server that stops drops what still comes of it."""
        self._stopping = True
        for content in self._coming:
            self._give_up(content)

    def _give_up(self, content: StreamReader) -> None:
        if not content.is_eof():
            content.set_exception(ConnectionAbortedError())


BODIES: Final = web.AppKey("bodies", Bodies)


async def body_of(request: web.Request, kind: type[B]) -> B:
    """Read and validate a request's body.

    Raises:
        ApiError: wrong content type, no JSON, or not of this kind.
        web.RequestPayloadError: the body is not encoded as its headers say.
        asyncio.CancelledError: the rest of the body does not come.
    """
    if request.content_type != "application/json":
        raise ApiError("415.invalid-content-type", "Invalid content type", detail="Send application/json.")
    try:
        return kind.model_validate_json(await request.app[BODIES].read(request))
    except ValidationError as error:
        raise from_validation(error) from None
