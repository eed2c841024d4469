"""The HTTP interface: one module per resource, put together here."""

from aiohttp import web

from imagesources.embedded.endpoint import SERVICES, Services, error_envelope
from imagesources.embedded.requests import BODY_LIMIT
from imagesources.embedded.routes import health, jobs, sources


def application(services: Services) -> web.Application:
    """Put the API together."""
    app = web.Application(middlewares=[error_envelope], client_max_size=BODY_LIMIT)
    app[SERVICES] = services
    for resource in (health, sources, jobs):
        app.add_routes(resource.ROUTES)
    return app
