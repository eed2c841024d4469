"""The operations on jobs."""

from aiohttp import web
from sqlalchemy import Connection

from imagesources.embedded import jobs, render
from imagesources.embedded.access import Capability
from imagesources.embedded.answers import json_response
from imagesources.embedded.endpoint import Call, operation
from imagesources.embedded.listing import PAGE_SIZE, Listing, Page, read_listing, several
from imagesources.platform.models import Json


async def list_jobs(call: Call) -> web.Response:
    """Operation ``getJobs``."""
    listing = read_listing(call.request.query, jobs.FILTERS, jobs.SORT_KEYS)
    include = several(call.request.query, "include", ("creators",))

    def query(connection: Connection) -> Json:
        rows = jobs.page(connection, call.caller.hub_id, listing)
        answer: Json = {"data": [render.job(row) for row in rows]}
        if include:
            answer["includes"] = {"creators": render.creators(connection, rows, call.services.instance)}
        return answer

    return json_response(await call.services.database.read(query))


async def list_latest_jobs(call: Call) -> web.Response:
    """Operation ``getLatestJobs``: the newest jobs, as many as a page holds, newest first."""
    latest = Listing(filters={}, sort=(("id", True),), page=Page(PAGE_SIZE, 1))
    rows = await call.services.database.read(lambda connection: jobs.page(connection, call.caller.hub_id, latest))
    return json_response({"data": [render.job(row) for row in rows]})


async def get_job(call: Call) -> web.Response:
    """Operation ``getJob``."""
    job_id = call.request.match_info["job_id"]
    row = await call.services.database.read(lambda connection: jobs.get(connection, call.caller.hub_id, job_id))
    return json_response({"data": render.job(row)})


ROUTES = (
    web.get("/v1/jobs", operation(Capability.JOBS_VIEW, list_jobs)),
    web.get("/v1/jobs/latest", operation(Capability.JOBS_VIEW, list_latest_jobs)),
    web.get("/v1/jobs/{job_id}", operation(Capability.JOBS_VIEW, get_job)),
)
