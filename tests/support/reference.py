"""A small reference of the image sources API: what it answers, written down without a database or HTTP.

What a server chooses freely (ids, times, messages) is not predicted but learned from its answers.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Refusal = tuple[int, str]

MASK = "********"
NOT_YET = "0001-01-01T00:00:00Z"
CLOSED: Refusal = (403, "403.permissions")
MISSING: Refusal = (404, "404.image.source")
DELETING: Refusal = (403, "403.invalid-state")
NO_BUILDER: Refusal = (404, "404.hub.integration")

IMAGE_STATES = ("new", "downloading", "building", "verifying", "saving", "live", "deleting")


@dataclass(frozen=True)
class Key:
    """An API key: its hub, the names that its role has in ACLs, and what it may do (None: everything)."""

    hub: str
    roles: frozenset[str] = frozenset()
    root: bool = False
    capabilities: frozenset[str] | None = None

    def lacks(self, capability: str) -> bool:
        """Whether the key lacks a capability."""
        return self.capabilities is not None and capability not in self.capabilities

    def may(self, privilege: str, source: Json) -> bool:
        """Whether the ACL of a source, as stored, grants a privilege."""
        entries = (source["acl"] or {}).get("roles", {})
        return self.root or source["acl"] is None or any(entries.get(role, {}).get(privilege) for role in self.roles)


@dataclass
class Reference:
    """All hubs' sources and jobs.

    Attributes:
        builders: What the builders of each hub can be called.
        sources: By id, as the API shows them with all credentials.
        images: How many images each source has.
        jobs: By id: hub, source, caption, state.
        running: The job that deletes a source, by its id.
        masks: Whether readers see credentials.
        failing: How many of the next jobs fail.
        stuck: Whether jobs never get beyond their first step.
        asking: Who asked last; None sees everything.
    """

    builders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    images: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, Json] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    masks: bool = False
    failing: int = 0
    stuck: bool = False
    asking: Key | None = None

    def refusal(self, key: Key, source_id: str, capability: str, privilege: str) -> Refusal | None:
        """Why a key may not do something to a source, if so."""
        self.asking = key
        if key.lacks(capability):
            return CLOSED
        source = self.sources.get(source_id)
        if source is None or source["hub_id"] != key.hub or source["state"]["current"] == "deleted":
            return MISSING
        return None if key.may(privilege, source) else CLOSED

    def change_refusal(self, key: Key, source_id: str, privilege: str) -> Refusal | None:
        """Why a key may not change a source, if so."""
        refused = self.refusal(key, source_id, "images-sources-manage", privilege)
        is_live = refused or self.sources[source_id]["state"]["current"] == "live"
        return refused or (None if is_live else DELETING)

    def builder_refusal(self, key: Key, body: Json) -> Refusal | None:
        """Why what a body names cannot be a builder, if so."""
        name = (body.get("builder") or {}).get("integration_id")
        return NO_BUILDER if name is not None and name not in self.builders[key.hub] else None

    def created(self, key: Key, body: Json, answer: Json) -> Json:
        """What a create has made; the answer gives what the server chooses."""
        self.asking = key
        target = body["origin"].get("details", {}).get("target")
        name = body.get("name") or target or "Image source"
        chosen = {"id": answer["id"], "creator": answer["creator"], "state": answer["state"]}
        source = {
            "identifier": body.get("identifier") or token(name),
            "type": body["type"],
            "hub_id": key.hub,
            "name": name,
            "about": body.get("about") or {"description": None},
            "origin": body["origin"],
            "builder": body.get("builder"),
            "acl": body.get("acl"),
            "events": {**answer["events"], "updated": answer["events"]["created"], "deleted": NOT_YET},
            **chosen,
        }
        self.sources[answer["id"]] = deepcopy(source)
        return source

    def updated(self, source_id: str, body: Json, answer: Json) -> Json:
        """What an update has changed: whole properties; unknown ones, type and acl are ignored."""
        source = self.sources[source_id]
        changes = {key: body[key] for key in ("name", "identifier", "origin", "builder", "about") if key in body}
        if "identifier" in changes and not changes["identifier"]:
            changes["identifier"] = token(changes.get("name", source["name"]))
        return self._changed(source, changes, answer)

    def shared(self, source_id: str, body: Json, answer: Json) -> Json:
        """What a change of access has changed: nothing without an ACL in the body."""
        changes = {"acl": body["acl"]} if "acl" in body else {}
        return self._changed(self.sources[source_id], changes, answer)

    def shown(self, source_id: str, *, counts: bool = False) -> Json:
        """What is answered of a source; who changed it and may not view it sees no credentials."""
        source = deepcopy(self.sources[source_id])
        details = source["origin"].get("details", {})
        blind = self.asking and (self.asking.lacks("images-sources-view") or not self.asking.may("view", source))
        if "token" in details and (self.masks or blind or source["state"]["current"] == "deleted"):
            details["token"] = MASK
        if counts:
            number = self.images[source_id]
            states = dict.fromkeys(IMAGE_STATES, 0) | {"new": number}
            source["meta"] = {"images_count": {"total": number, "state": states}}
        return source

    def page(self, key: Key, query: Json) -> list[Json]:
        """The sources of a page.

        Args:
            key: Who asks.
            query: Keys ``state``, ``identifier``, ``search``, ``sort``, ``size``, ``number``, ``counts``.
        """
        self.asking = key
        states = query["state"] or ["live", "deleting"]
        found = [
            source
            for source in self.sources.values()
            if source["hub_id"] == key.hub and source["state"]["current"] in states and key.may("view", source)
            if query["identifier"] is None or source["identifier"] == query["identifier"]
            if query["search"] is None or query["search"].lower() in searchable(source)
        ]
        ordered = arrange([flat(source) for source in found], query["sort"])
        return [self.shown(row["id"], counts=query["counts"]) for row in cut(ordered, query)]

    def job_page(self, key: Key, query: Json) -> list[Json]:
        """The jobs of a page, as id, caption and state."""
        found = [
            job
            for job in self.jobs.values()
            if job["hub"] == key.hub and (not query["state"] or job["state"] in query["state"])
            if query["search"] is None
            or query["search"].lower() in f"{job['id']}\n{job['caption']}\n{job['source']}".lower()
        ]
        return [
            {name: job[name] for name in ("id", "caption", "state")}
            for job in cut(arrange(found, query["sort"]), query)
        ]

    def deletion(self, key: Key, source_id: str) -> str | None:
        """The job that a DELETE answers, if there is one that goes on; else it has to be a new one."""
        assert key.hub == self.sources[source_id]["hub_id"]
        job_id = self.running.get(source_id)
        return job_id if job_id and self.jobs[job_id]["state"] != "error" else None

    def deleting(self, source_id: str, job_id: str) -> str:
        """Note a new job, and tell the state that it comes to."""
        source = self.sources[source_id]
        source["state"] = {"current": "deleting"}
        state = "running" if self.stuck else "error" if self.failing else "completed"
        named = source["name"] if source["acl"] is None else source_id
        caption = f"Delete image source {named}"[:255]
        self.jobs[job_id] = {
            "id": job_id,
            "hub": source["hub_id"],
            "source": source_id,
            "caption": caption,
            "state": state,
        }
        self.running[source_id] = job_id
        if state != "running":
            self.images[source_id] = 0
        if state == "error":
            self.failing -= 1
            source["state"]["error"] = {}
        if state == "completed":
            source["state"] = {"current": "deleted"}
        return state

    def learn(self, source_id: str, answer: Json) -> None:
        """Take over what the server chose while a job ran: times, and what it says of a failure."""
        self.asking = None
        source = self.sources[source_id]
        assert answer["state"]["current"] == source["state"]["current"]
        assert ("error" in answer["state"]) == ("error" in source["state"])
        assert (answer["events"]["deleted"] == NOT_YET) == (answer["state"]["current"] != "deleted")
        source["state"] = answer["state"]
        source["events"]["deleted"] = answer["events"]["deleted"]

    def _changed(self, source: Json, changes: Json, answer: Json) -> Json:
        if changes:
            assert answer["events"]["updated"] >= source["events"]["updated"]
            source["events"]["updated"] = answer["events"]["updated"]
        source |= deepcopy(changes)
        return source


def token(name: str) -> str:
    """The identifier that is made from a name."""
    return "-".join(re.findall("[a-z0-9]+", name.lower())) or "image-source"


def searchable(source: Json) -> str:
    """What a search looks through."""
    target = source["origin"].get("details", {}).get("target")
    parts = [source[key] for key in ("id", "name", "identifier", "type")]
    return "\n".join([*parts, source["about"]["description"] or "", source["origin"]["type"], target or ""]).lower()


def flat(source: Json) -> Json:
    """A source with what can be sorted by at the top."""
    return source | {
        "state": source["state"]["current"],
        **{key: source["events"][key] for key in ("created", "updated")},
    }


def arrange(rows: Iterable[Json], sort: list[str]) -> list[Json]:
    """Sorts by several keys; the id decides between equals, in the direction of the last key."""
    keys = [*sort, "-id" if sort and sort[-1].startswith("-") else "id"]
    ordered = list(rows)
    for key in reversed(keys):
        ordered.sort(key=lambda row: row[key.removeprefix("-")], reverse=key.startswith("-"))
    return ordered


def cut(rows: list[Json], query: Json) -> list[Json]:
    """Takes one page of a list."""
    size = query["size"] or 20
    return rows[size * (query["number"] - 1) :][:size]
