"""The kinds of resources of the platform's API, and their rows as a reference keeps and compares them."""

import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Refusal = tuple[int, str]

MASK = "********"
NOT_YET = "0001-01-01T00:00:00Z"

CATEGORIES = {"depot": "image-builder", "vultr": "infrastructure-provider"}


@dataclass(frozen=True)
class Kind:
    """One kind of resource: where it is, the capabilities to read and to write it, and what its lists can be asked."""

    path: str
    view: str
    manage: str
    missing: Refusal
    filters: tuple[str, ...]
    meta: str = ""
    includes: tuple[str, ...] = ()


KINDS = {
    "source": Kind(
        "/v1/images/sources",
        "images-sources-view",
        "images-sources-manage",
        (404, "404.image.source"),
        ("identifier", "search", "state"),
        "images_count",
        ("creators", "integrations"),
    ),
    "image": Kind(
        "/v1/images",
        "images-view",
        "images-manage",
        (404, "404.image"),
        ("identifier", "search", "state", "source_id", "source_type"),
        "containers_count",
        ("creators", "integrations", "sources"),
    ),
    "integration": Kind(
        "/v1/hubs/current/integrations",
        "hubs-integrations-view",
        "hubs-integrations-manage",
        (404, "404.hub.integration"),
        ("search", "state", "category"),
        "definition",
    ),
    "role": Kind(
        "/v1/hubs/current/roles",
        "hubs-roles-manage",
        "hubs-roles-manage",
        (404, "404.hub.role"),
        ("identifier", "search"),
        "counts",
    ),
    "job": Kind("/v1/jobs", "apionly-jobs-view", "", (404, "404.job"), ("search", "state"), "", ("creators",)),
}


def plain(data: Json) -> Json:
    """A resource as a reference can tell it: without the times and words that a server chooses."""
    state = {"current": data["state"]["current"], "error": bool(data["state"].get("error"))}
    if "tasks" in data:
        return {name: data[name] for name in ("id", "hub_id", "caption", "creator")} | {"state": state, "events": {}}
    events = {**data["events"], "deleted": data["events"]["deleted"] != NOT_YET}
    meta = {name: data["meta"][name] for name in data.get("meta", {})}
    if "definition" in meta:
        meta["definition"] = meta["definition"]["vendor"]
    return {**data, "state": state, "events": events} | ({"meta": meta} if meta else {})


def filled(values: Json) -> Json:
    """The properties of a role, with what null stands for."""
    defaults: Json = {"capabilities": {"all": False, "specific": []}, "extra": {}}
    return {name: defaults.get(name) if value is None else value for name, value in values.items()}


def masked(origin: Json) -> Json:
    """An origin without its credentials."""
    copy = deepcopy(origin)
    if "token" in copy.get("details", {}):
        copy["details"]["token"] = MASK
    return copy


def token(name: str) -> str:
    """The identifier that is made from a name."""
    return "-".join(re.findall("[a-z0-9]+", name.lower())) or "image-source"


def flat(row: Json) -> Json:
    """A resource with all that it can be sorted and found by at the top."""
    source = row.get("source") or {"details": row}
    target = source.get("override", {}).get("target") or source["details"].get("origin", {}).get("details", {}).get(
        "target"
    )
    about = row["about"]["description"] if "type" in row else None
    origin = row["origin"]["type"] if "origin" in row else None
    found_by = [row[name] for name in ("identifier", "type", "vendor", "caption") if name in row]
    found_by += [] if "rank" in row else [row["id"]]
    text = [*found_by, row.get("name"), about, origin, target, row.get("_source"), row.get("_object")]
    return row | {
        "state": row["state"]["current"],
        "text": "\n".join(part for part in text if part).lower(),
        **{name: row["events"].get(name) for name in ("created", "updated")},
        "identifier": row.get("identifier", row.get("_identifier")),
        "category": CATEGORIES.get(row.get("vendor", "")),
        "source_id": row.get("_source"),
        "source_type": source.get("type"),
    }


def arrange(rows: Iterable[Json], sort: list[str]) -> list[Json]:
    """Sorts by several keys, null first; the id decides between equals, in the direction of the last key."""
    keys = [*sort, "-id" if sort and sort[-1].startswith("-") else "id"]
    ordered = list(rows)
    for key in reversed(keys):
        name = key.removeprefix("-")
        ordered.sort(key=lambda row: (row[name] is not None, row[name]), reverse=key.startswith("-"))
    return ordered
