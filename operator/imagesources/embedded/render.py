"""Rows of the store as the API writes them (schemas ``ImageSource``, ``Image``, ``Job``, ``Role``, …)."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, select

from imagesources.embedded.clock import rfc3339
from imagesources.embedded.images import COUNTED
from imagesources.embedded.origins import masked
from imagesources.embedded.schema import api_keys
from imagesources.platform.models import Json


def source(row: RowMapping, *, mask: bool, counts: Mapping[str, int] | None = None) -> Json:
    """Write a source.

    Args:
        row: of the table ``sources``.
        mask: whether its credentials are replaced by a mask.
        counts: how many images it has in each state, or None if ``meta`` is not to be written.
    """
    written: Json = {
        "id": row["id"],
        "identifier": row["identifier"],
        "type": row["type"],
        "hub_id": row["hub_id"],
        "name": row["name"],
        "about": row["about"] or {"description": None},
        "origin": masked(row["origin"]) if mask else row["origin"],
        "builder": row["builder"],
        "creator": _creator(row),
        "acl": row["acl"],
        "state": _state(row),
        "events": _lifetime(row),
    }
    if counts is not None:
        by_state = {name: counts.get(name, 0) for name in COUNTED}
        written["meta"] = {"images_count": {"total": sum(counts.values()), "state": by_state}}
    return written


def image(row: RowMapping, *, containers_count: bool = False) -> Json:
    """Write an image; it is stored nowhere and nothing runs it, so what that would tell is empty."""
    config: Json = {"user": "", "ports": [], "env": {}, "labels": {}, "command": [], "entrypoint": [], "volumes": []}
    written: Json = {
        "id": row["id"],
        "hub_id": row["hub_id"],
        "name": row["name"],
        "size": row["size"],
        "about": row["about"] or {"description": None},
        "backend": {"provider": "", "size": row["size"], "file_name": "", "file_id": ""},
        "requires": {},
        "build": row["build"],
        "builder": row["builder_id"] and {"integration_id": row["builder_id"]},
        "config": {**config, "workdir": "", "signal_stop": ""},
        "source": row["source"],
        "creator": _creator(row),
        "factory": None,
        "state": _state(row),
        "events": _lifetime(row),
    }
    if containers_count:
        written["meta"] = {"containers_count": {"state": {}, "total": 0, "available": 0}}
    return written


def role(row: RowMapping, *, api_keys_count: int | None = None) -> Json:
    """Write a role.

    Args:
        row: of the table ``roles``.
        api_keys_count: how many API keys have it, or None if ``meta`` is not to be written.
    """
    written: Json = {key: row[key] for key in ("id", "hub_id", "name", "identifier", "root", "rank", "extra")}
    written |= {
        "default": row["identifier"] if row["root"] else None,
        "creator": _creator(row),
        "capabilities": {"all": row["all_capabilities"], "specific": row["capabilities"]},
        "state": _state({**row, "state": "live", "changed": row["created"]}),
        "events": _lifetime({**row, "deleted": None}),
    }
    if api_keys_count is not None:
        written["meta"] = {"counts": {"members": 0, "api_keys": api_keys_count}}
    return written


def integration(row: RowMapping, *, definition: Json | None = None) -> Json:
    """Write an integration without its authentication, which only its own operations show.

    Args:
        row: of the table ``integrations``.
        definition: its vendor's, or None if ``meta`` is not to be written.
    """
    written: Json = {key: row[key] for key in ("id", "hub_id", "name", "identifier", "vendor", "extra")}
    written |= {"creator": _creator(row), "state": _state(row), "events": _lifetime(row)}
    return written if definition is None else {**written, "meta": {"definition": definition}}


def integrations(rows: Sequence[RowMapping]) -> Json:
    """Write included integrations, keyed by id, and the ids by identifier."""
    return {
        "integrations": {row["id"]: integration(row) for row in rows},
        "integrations:identifiers": by_identifier(rows),
    }


def by_identifier(rows: Sequence[RowMapping]) -> Json:
    """Write the ids that each identifier stands for (schema ``IdentifierIncludes``)."""
    found: Json = {}
    for row in rows:
        found.setdefault(row["identifier"], []).append(row["id"])
    return found


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
        "creator": _creator(row),
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
    ids = {row["creator_id"] for row in rows} - {None}
    query = select(api_keys).where(api_keys.c.id.in_(ids))
    keys = connection.execute(query).mappings().all()
    return {"api_keys": {row["id"]: _api_key(row, platform_id) for row in keys}}


def _creator(row: RowMapping | Json) -> Json:
    """Write who created a resource; what has no creator was made by the platform, which has the hub's own id."""
    by_key = row["creator_id"] is not None
    return {"id": row["creator_id"] or row["hub_id"], "type": "api-key" if by_key else "platform"}


def _state(row: RowMapping | Json) -> Json:
    state: Json = {"current": row["state"], "changed": rfc3339(row["changed"])}
    return state if row["error"] is None else {**state, "error": row["error"]}


def _lifetime(row: RowMapping | Json) -> Json:
    return {event: rfc3339(row[event]) for event in ("created", "updated", "deleted")}


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
