"""What stands between HTTP and an operation: authentication, capabilities, the rate limit, the error envelope."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from imagesources.embedded.access import Caller, Capability, authenticate
from imagesources.embedded.database import Database, Query
from imagesources.embedded.errors import ApiError, NotAuthenticated, identifier_taken
from imagesources.embedded.feed import Feed
from imagesources.embedded.limits import RateLimit
from imagesources.embedded.options import Options
from imagesources.embedded.worker import Worker

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """What operations work with."""

    database: Database
    worker: Worker
    feed: Feed
    options: Options
    limit: RateLimit
    instance: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a caller who may make it."""

    request: web.Request
    caller: Caller
    services: Services

    async def write_unique(self, query: Query[T]) -> T:
        """Write a resource whose identifier has to be unique.

        Raises:
            ApiError: 409.duplicate-found.
        """
        try:
            return await self.services.database.write(query)
        except IntegrityError as error:
            raise identifier_taken() from error


SERVICES = web.AppKey("services", Services)

Operation = Callable[[Call], Awaitable[web.Response]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def operation(capability: Capability, operate: Operation, *, hub_required: bool = True) -> Handler:
    """Make a handler that lets only those ask who have the capability.

    Args:
        capability: what an API key needs.
        operate: what it does then.
        hub_required: whether the request has to name its hub, as the description says by ``hubAuth``.
    """

    async def handle(request: web.Request) -> web.Response:
        services = request.app[SERVICES]
        caller = await _caller(request, services, hub_required=hub_required)
        services.limit.check(caller.key_id)
        caller.require(capability)
        return await operate(Call(request, caller, services))

    return handle


async def _caller(request: web.Request, services: Services, *, hub_required: bool) -> Caller:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise NotAuthenticated("The header Authorization must carry a bearer token.")
    hub_id = request.headers.get("X-Hub-Id", "")
    return await services.database.read(
        lambda connection: authenticate(connection, key, hub_id, hub_required=hub_required)
    )


@web.middleware
async def error_envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as the API does; what nobody expected is logged here, without values."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return ApiError("404.uri", "Not found", detail="There is no such operation here.").response()
    except web.HTTPRequestEntityTooLarge:
        return ApiError("422.max-exceeded", "Limit exceeded", detail="The body is too large.").response()
    except web.RequestPayloadError:
        return _unreadable(request)
    except SQLAlchemyError as error:
        LOG.warning("the database failed: %s", type(error).__name__)
        return ApiError("500.database", "Database error").response()
    except Exception:
        LOG.exception("an operation failed")
        return ApiError("500.unknown", "Unknown error").response()


def _unreadable(request: web.Request) -> web.Response:
    """Refuse a body that is not encoded as its headers say; what follows it on the connection cannot be read either."""
    request.content.feed_eof()  # aiohttp would look for the rest of it, and log what it finds as an error of its own
    answer = ApiError("400.invalid-syntax", "Invalid syntax", detail="The body is not encoded as it says.").response()
    answer.force_close()
    return answer
