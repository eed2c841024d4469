"""The HTTP interface: one module per resource, put together here."""

from aiohttp import web

from imagesources.embedded.endpoint import SERVICES, Services, error_envelope
from imagesources.embedded.metrics import METRICS, Metrics, count_requests
from imagesources.embedded.requests import BODIES, BODY_LIMIT, Bodies
from imagesources.embedded.routes import health, images, integrations, jobs, notifications, roles, sources

ROUTES = tuple(
    route
    for resource in (health, sources, jobs, images, integrations, roles, notifications)
    for route in resource.ROUTES
)
"""Every operation that is served."""


def application(services: Services) -> web.Application:
    """Put the API together."""
    app = web.Application(middlewares=[count_requests, error_envelope], client_max_size=BODY_LIMIT)
    app[SERVICES], app[METRICS], app[BODIES] = services, Metrics(), Bodies()
    app.on_shutdown.append(app[BODIES].stop)
    app.add_routes(ROUTES)
    return app
