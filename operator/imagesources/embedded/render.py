"""Rows of the store as the API writes them (schemas ``ImageSource``, ``Job``, ``JobDescriptor``, ``ApiKeyCreator``)."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from imagesources.embedded.clock import rfc3339
from imagesources.embedded.origins import masked
from imagesources.embedded.schema import api_keys
from imagesources.platform.models import Json

IMAGE_STATES: Final = ("new", "downloading", "building", "verifying", "saving", "live", "deleting")


def source(row: RowMapping, *, mask: bool, images_count: bool = False) -> Json:
    """Write a source.

    Args:
        row: of the table ``sources``.
        mask: whether its credentials are replaced by a mask.
        images_count: whether ``meta`` is written; there are no images here yet, so every count is 0.
    """
    state: Json = {"current": row["state"], "changed": rfc3339(row["changed"])}
    if row["error"] is not None:
        state["error"] = row["error"]
    written: Json = {
        "id": row["id"],
        "identifier": row["identifier"],
        "type": row["type"],
        "hub_id": row["hub_id"],
        "name": row["name"],
        "about": row["about"] or {"description": None},
        "origin": masked(row["origin"]) if mask else row["origin"],
        "builder": row["builder"],
        "creator": {"id": row["creator_id"], "type": "api-key"},
        "acl": row["acl"],
        "state": state,
        "events": {event: rfc3339(row[event]) for event in ("created", "updated", "deleted")},
    }
    if images_count:
        written["meta"] = {"images_count": {"total": 0, "state": dict.fromkeys(IMAGE_STATES, 0)}}
    return written


def job(row: RowMapping) -> Json:
    """Write a job."""
    return {
        "id": row["id"],
        "hub_id": row["hub_id"],
        "queue": row["queue"],
        "caption": row["caption"],
        "events": _times(row),
        "schedule": rfc3339(row["queued"]),
        "expires": rfc3339(row["expires"]),
        "tasks": [_task(task) for task in row["tasks"]],
        "hash": row["hash"],
        "limit_duplicates": True,
        "creator": {"id": row["creator_id"], "type": "api-key"},
        "state": {"current": row["state"], "changed": rfc3339(row["changed"]), "error": row["error"]},
    }


def job_descriptor(action: str, row: RowMapping) -> Json:
    """Write the answer to a request that a job carries out."""
    named = ("caption", "header", "input", "steps")
    return {
        "action": action,
        "job": {
            "id": row["id"],
            "accepted": True,
            "queue": row["queue"],
            "schedule": rfc3339(row["queued"]),
            "parallel": {"sub_queue": None, "tasks": False},
            "tasks": [{key: _task(task)[key] for key in named} for task in row["tasks"]],
        },
    }


def creators(connection: Connection, rows: Iterable[RowMapping], platform_id: str) -> Json:
    """Write who created these resources, each once (schema ``CreatorInclude``).

    Args:
        connection: within a transaction.
        rows: sources or jobs.
        platform_id: who created the API keys themselves: the platform.
    """
    query = select(api_keys).where(api_keys.c.id.in_({row["creator_id"] for row in rows}))
    keys = connection.execute(query).mappings().all()
    return {"api_keys": {row["id"]: _api_key(row, platform_id) for row in keys}}


def _api_key(row: RowMapping, platform_id: str) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "hub_id": row["hub_id"],
        "creator": {"id": platform_id, "type": "platform"},
        "permissions": {"all_environments": True, "environments": []},
        "capabilities": {"all": row["all_capabilities"], "specific": row["capabilities"]},
        "ips": None,
        "state": {"current": "live", "changed": rfc3339(row["created"])},
        "events": {event: rfc3339(row[event]) for event in ("created", "updated")},
    }


def _task(stored: Json) -> Json:
    steps: Sequence[Json] = stored["steps"]
    return {
        **stored,
        "events": _times(stored["events"]),
        "steps": [{**step, **{when: rfc3339(step[when]) for when in ("started", "completed")}} for step in steps],
        "state": {**stored["state"], "changed": rfc3339(stored["state"]["changed"])},
    }


def _times(stored: RowMapping | Json) -> Json:
    return {event: rfc3339(stored[event]) for event in ("queued", "started", "completed")}
