"""A small reference of the platform's API: what it answers, written down without a database or HTTP.

What a server chooses freely (ids, times, messages) is not predicted but learned from its answers. A resource is kept as
``plain`` shows it, with what only the reference knows under names that begin with an underscore.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.support.kinds import KINDS, MASK, Json, Refusal, arrange, filled, flat, masked, token

CLOSED: Refusal = (403, "403.permissions")
NOT_ALLOWED: Refusal = (403, "403.not-allowed")
WRONG_STATE: Refusal = (403, "403.invalid-state")
TAKEN: Refusal = (409, "409.duplicate-found")
REVOKED: Refusal = (401, "invalid_token")

IMAGE_STATES = ("new", "downloading", "building", "verifying", "saving", "live", "deleting")
CONFIG: Json = {"user": "", "ports": [], "env": {}, "labels": {}, "command": [], "entrypoint": [], "volumes": []}


@dataclass
class Key:
    """An API key.

    Attributes:
        hub: Its hub's id.
        role: Its role's id.
        capabilities: What it may do; None: everything.
        id: Its own, once it has created something.
        revoked: Whether it is of no use.
    """

    hub: str
    role: str
    capabilities: frozenset[str] | None = None
    id: str = ""
    revoked: bool = False

    def denied(self, capability: str) -> Refusal | None:
        """Why the key may not do what asks for a capability, if so."""
        if self.revoked:
            return REVOKED
        return CLOSED if self.capabilities is not None and capability not in self.capabilities else None


@dataclass
class Reference:
    """All hubs.

    Attributes:
        keys: All API keys.
        rows: Of each kind, by id, with all credentials.
        masks: Whether readers see credentials masked.
        failing: How many of the next jobs fail.
        stuck: Whether jobs never get beyond their first step.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    rows: dict[str, dict[str, Json]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    masks: bool = False
    failing: int = 0
    stuck: bool = False

    def refusal(self, key: Key, kind: str, row_id: str, capability: str, privilege: str = "view") -> Refusal | None:
        """Why a key may not do something to a resource, if so."""
        row = self.rows[kind].get(row_id)
        if refused := key.denied(capability):
            return refused
        if row is None or row["hub_id"] != key.hub or row["state"]["current"] == "deleted":
            return KINDS[kind].missing
        return CLOSED if kind == "source" and not self._may(key, privilege, row) else None

    def change_refusal(self, key: Key, kind: str, row_id: str, privilege: str, capability: str = "") -> Refusal | None:
        """Why a key may not change a source or an integration, or make an image of a source, if so."""
        refused = self.refusal(key, kind, row_id, capability or KINDS[kind].manage, privilege)
        return refused or (None if self.rows[kind][row_id]["state"]["current"] == "live" else WRONG_STATE)

    def import_refusal(self, key: Key, image_id: str) -> Refusal | None:
        """Why a key may not import an image, if so."""
        refused = self.refusal(key, "image", image_id, "images-manage")
        return refused or (
            WRONG_STATE if self.rows["image"][image_id]["state"]["current"] in ("live", "deleting") else None
        )

    def role_refusal(self, key: Key, body: Json, role_id: str | None = None) -> Refusal | None:
        """Why a key may not create a role, or change one to be what the body says, if so."""
        role: Json = {}
        if role_id is not None:
            if refused := self.refusal(key, "role", role_id, "hubs-roles-manage"):
                return refused
            role = self.rows["role"][role_id]
        mine = self.rows["role"][key.role]
        if refused := key.denied("hubs-roles-manage"):
            return refused
        if role.get("root") or not (mine["root"] or max(role.get("rank", 0), body.get("rank", 0)) < mine["rank"]):
            return NOT_ALLOWED
        return self.taken(key, "role", body, role_id)

    def role_delete_refusal(self, key: Key, role_id: str) -> Refusal | None:
        """Why a key may not delete a role, if so."""
        has_keys = any(each.role == role_id for each in self.keys.values())
        return self.role_refusal(key, {}, role_id) or (NOT_ALLOWED if has_keys else None)

    def taken(self, key: Key, kind: str, body: Json, row_id: str | None = None) -> Refusal | None:
        """Why the identifier of a body cannot be had, if so."""
        others = [row for row in self._there(kind, key.hub) if row["id"] != row_id]
        return TAKEN if body.get("identifier") in [row["identifier"] for row in others] else None

    def builder_refusal(self, key: Key, builder: Json | None) -> Refusal | None:
        """Why something cannot be a builder, if so."""
        name = (builder or {}).get("integration_id")
        found = self._named(key.hub, name)
        if name is None:
            return None
        if not found:
            return KINDS["integration"].missing
        if found[0]["vendor"] != "depot":
            return 422, "422.invalid-argument"
        return None if found[0]["state"]["current"] == "live" else WRONG_STATE

    def created_source(self, key: Key, body: Json, answer: Json) -> Json:
        """What a create has made; the answer gives what the server chooses."""
        target = body["origin"].get("details", {}).get("target")
        name = body.get("name") or target or "Image source"
        values = {
            "identifier": body.get("identifier") or token(name),
            "type": body["type"],
            "name": name,
            "about": body.get("about") or {"description": None},
            "origin": body["origin"],
            "builder": body.get("builder"),
            "acl": body.get("acl"),
        }
        return self._add(key, "source", "live", values, answer)

    def created_image(self, key: Key, source_id: str, body: Json, answer: Json) -> Json:
        """What an image is made of."""
        source = self.rows["source"][source_id]
        details: Json = {"id": source_id, "origin": masked(source["origin"])}
        if source["type"] == "stack-build":
            details |= {"stack_id": "", "containers": []}
        made = {"type": source["type"], "details": details}
        builder = self._named(key.hub, (source["builder"] or {}).get("integration_id"))
        name = body.get("name") or source["name"]
        values = {
            "name": name,
            "size": 0,
            "about": source["about"],
            "requires": {},
            "factory": None,
            "backend": {"provider": "", "size": 0, "file_name": "", "file_id": ""},
            "build": body.get("build"),
            "builder": {"integration_id": builder[0]["id"]} if builder else None,
            "config": {**CONFIG, "workdir": "", "signal_stop": ""},
            "source": made | ({"override": body["override"]} if body.get("override") else {}),
            "_identifier": token(name),
            "_source": source_id,
        }
        return self._add(key, "image", "new", values, answer)

    def created_integration(self, key: Key, body: Json, answer: Json) -> Json:
        """What an integration is made of."""
        values = {name: body.get(name) for name in ("identifier", "name", "vendor", "auth", "extra")}
        return self._add(key, "integration", "live", values, answer)

    def created_role(self, key: Key, body: Json, answer: Json) -> Json:
        """What a role is made of."""
        new = {"root": False, "default": None, "name": None, "capabilities": None, "extra": None}
        return self._add(key, "role", "live", filled(new | body), answer)

    def updated(self, kind: str, row_id: str, changes: Json, answer: Json) -> Json:
        """What an update has changed: whole properties, those that the kind has."""
        row = self.rows[kind][row_id]
        names = {
            "source": ("name", "identifier", "origin", "builder", "about", "acl"),
            "integration": ("name", "identifier", "auth", "extra"),
            "role": ("name", "identifier", "rank", "capabilities", "extra"),
        }
        changes = {name: changes[name] for name in names[kind] if name in changes}
        if kind == "source" and "identifier" in changes:
            changes["identifier"] = changes["identifier"] or token(changes.get("name", row["name"]))
        if kind == "integration" and changes.get("name", "") is None:
            del changes["name"]
        if changes:
            assert answer["events"]["updated"] >= row["events"]["updated"]
            row["events"]["updated"] = answer["events"]["updated"]
        row |= deepcopy(filled(changes) if kind == "role" else changes)
        return row

    def job_of(self, kind: str, row_id: str, action: str) -> str | None:
        """The job that a request for what is done already answers; None: it has to be a new one."""
        job = self.rows["job"].get(self.rows[kind][row_id].get("_job", ""))
        goes_on = job is not None and job["_action"] == action and job["state"]["current"] != "error"
        return job["id"] if job is not None and goes_on else None

    def begin(self, key: Key, kind: str, row_id: str, action: str, job: Json) -> str:
        """Note a new job and what it does, and tell the state that it comes to."""
        row, title = self.rows[kind][row_id], f"{action.capitalize()} {'image source' if kind == 'source' else kind}"
        state = "running" if self.stuck else "error" if self.failing else "completed"
        self.failing -= state == "error"
        caption = f"{title} {row_id if row.get('acl') is not None else row['name'] or row['identifier']}"[:255]
        values = {"caption": caption, "_action": action, "_object": row_id}
        self._add(key, "job", state, {**values, "events": {}}, job)["state"]["error"] = state == "error"
        row["_job"] = job["id"]
        self._carry_out(kind, row, action, state)
        return state

    def _carry_out(self, kind: str, row: Json, action: str, state: str) -> None:
        done = state == "completed"
        if kind == "role":
            current = "live"
            if done:
                del self.rows["role"][row["id"]]
        elif action == "import":
            current = {"running": "downloading", "error": "saving", "completed": "live"}[state]
        else:
            current = "deleted" if done else "deleting"
        row["state"] = {"current": current, "error": state == "error"}
        row["events"]["deleted"] = current == "deleted"
        if kind == "integration" and done:
            row["auth"] = None
        if kind == "source" and state != "running":
            for image in self._there("image", row["hub_id"]):
                if image["_source"] == row["id"]:
                    image["state"], image["events"]["deleted"] = {"current": "deleted", "error": False}, True

    def answered(self, key: Key, kind: str, row_id: str) -> Json:
        """What is answered to who made or changed a resource; of a source that the key could not read, no secret."""
        row = self.shown(kind, row_id)
        if kind == "source" and (key.denied("images-sources-view") or not self._may(key, "view", row)):
            row["origin"] = masked(row["origin"])
        return row

    def shown(self, kind: str, row_id: str, *, meta: bool = False) -> Json:
        """What a reader sees of a resource."""
        row = {name: deepcopy(value) for name, value in self.rows[kind][row_id].items() if not name.startswith("_")}
        if kind == "source" and (self.masks or row["state"]["current"] == "deleted"):
            row["origin"] = masked(row["origin"])
        if kind == "integration" and self.masks and row["auth"]:
            row["auth"] = {name: value and MASK if name == "api_key" else value for name, value in row["auth"].items()}
        if meta and kind != "job":
            row["meta"] = {KINDS[kind].meta: self._meta(kind, row)}
        return row

    def _meta(self, kind: str, row: Json) -> Any:
        if kind == "source":
            of_it = [image for image in self._there("image", row["hub_id"]) if image["_source"] == row["id"]]
            states = Counter(image["state"]["current"] for image in of_it)
            return {"total": len(of_it), "state": {state: states[state] for state in IMAGE_STATES}}
        if kind == "role":
            return {"members": 0, "api_keys": sum(key.role == row["id"] for key in self.keys.values())}
        return row["vendor"] if kind == "integration" else {"state": {}, "total": 0, "available": 0}

    def page(self, key: Key, kind: str, query: Json) -> list[str]:
        """The ids of a page.

        Args:
            key: Who asks.
            kind: What is listed.
            query: Keys ``state``, ``search``, ``sort``, ``size``, ``number``, and further filters; others are ignored.
        """
        rows = [
            flat(row)
            for row in self.rows[kind].values()
            if row["hub_id"] == key.hub and (kind != "source" or self._may(key, "view", row))
        ]
        asked = {name: query[name] for name in KINDS[kind].filters if query.get(name) is not None}
        states = asked.pop("state", [])
        term = asked.pop("search", "").lower()
        found = [
            row
            for row in rows
            if (row["state"] in states if states else row["state"] != "deleted") and term in row["text"]
            if all(row[name] == value for name, value in asked.items())
        ]
        size = query["size"] or 20
        return [row["id"] for row in arrange(found, query["sort"])[size * (query["number"] - 1) :][:size]]

    def included(self, key: Key, kind: str, ids: list[str]) -> dict[str, set[str]]:
        """The ids that an answer with these resources brings along."""
        rows = [self.rows[kind][row_id] for row_id in ids]
        builders = [(row.get("builder") or {}).get("integration_id") for row in rows]
        sources = {row.get("_source", "") for row in rows} if not key.denied("images-sources-view") else set()
        there = self._there("source", key.hub)
        return {
            "creators": {row["creator"]["id"] for row in rows},
            "integrations": {found["id"] for name in builders for found in self._named(key.hub, name)},
            "sources": {row["id"] for row in there if row["id"] in sources and self._may(key, "view", row)},
        }

    def _may(self, key: Key, privilege: str, source: Json) -> bool:
        role, entries = self.rows["role"][key.role], (source["acl"] or {}).get("roles", {})
        names = (role["id"], role["identifier"])
        return role["root"] or source["acl"] is None or any(entries.get(name, {}).get(privilege) for name in names)

    def _there(self, kind: str, hub: str) -> list[Json]:
        return [
            row for row in self.rows[kind].values() if row["hub_id"] == hub and row["state"]["current"] != "deleted"
        ]

    def _named(self, hub: str, name: str | None) -> list[Json]:
        found = [row for row in self._there("integration", hub) if name in (row["id"], row["identifier"])]
        return sorted(found, key=lambda row: row["id"] != name)

    def _add(self, key: Key, kind: str, state: str, values: Json, answer: Json) -> Json:
        key.id = key.id or answer["creator"]["id"]
        created = answer.get("events", {}).get("created")
        row = {
            "id": answer["id"],
            "hub_id": key.hub,
            "creator": {"id": key.id, "type": "api-key"},
            "state": {"current": state, "error": False},
            "events": {"created": created, "updated": created, "deleted": False},
            **deepcopy(values),
        }
        self.rows[kind][row["id"]] = row
        return row
