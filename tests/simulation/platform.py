"""The platform as a model in memory: the operations that the operator uses, atomic and instant.

What makes it hard (delay, loss, stale answers) is the network's doing, in ``network``.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.faults import Fault
from tests.simulation.values import Json, timestamp

from imagesources.platform.errors import Refused
from imagesources.platform.models import ZERO_TIME

HUB_ID = "aaaaaaaaaaaaaaaaaaaaaaaa"
OPERATOR_KEY = "bbbbbbbbbbbbbbbbbbbbbbbb"
_EPOCH = "2026-01-01T00:00:00Z"
_NOT_YET = ZERO_TIME.isoformat()


@dataclass
class Platform:
    """Sources and jobs of one hub, as the API shows them; every value is replaced as a whole, never changed.

    Attributes:
        sources: by id; a deleted one stays, in state ``deleted``.
        jobs: by id.
        posted: for each source: the marker that it was created with.
        made: when it was, in seconds.
        keys: the API keys that are accepted.
        writes: every applied change: operation and source id.
        on_job: told of each job that begins.
    """

    sources: dict[str, Json] = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    posted: dict[str, str] = field(default_factory=dict)
    made: dict[str, float] = field(default_factory=dict)
    keys: frozenset[str] = frozenset({"key-0"})
    writes: list[tuple[str, str]] = field(default_factory=list)
    on_job: Callable[[str], None] = lambda _job_id: None
    _ids: int = 0

    def live(self) -> list[Json]:
        """All sources that are live."""
        return [source for source in self.sources.values() if source["state"]["current"] == "live"]

    def create(self, body: Json, creator: str = OPERATOR_KEY, hub: str = HUB_ID) -> Json:
        """``createImageSource``."""
        source_id = self._id()
        self.sources[source_id] = {
            "id": source_id,
            "hub_id": hub,
            "identifier": body["identifier"],
            "name": body["name"],
            "type": body["type"],
            "origin": body["origin"],
            "builder": body.get("builder"),
            "about": body.get("about"),
            "acl": body.get("acl"),
            "creator": {"id": creator, "type": "api-key"},
            "state": {"current": "live", "changed": _EPOCH},
            "events": {"created": timestamp(), "updated": _EPOCH, "deleted": _NOT_YET},
        }
        self.posted[source_id] = body["identifier"]
        self.made[source_id] = asyncio.get_running_loop().time()
        self.writes.append(("create", source_id))
        return self.sources[source_id]

    def get(self, source_id: str, hub: str = HUB_ID) -> Json:
        """``getImageSource``; a deleted source is gone."""
        source = self.sources.get(source_id)
        if source is None or source["hub_id"] != hub or source["state"]["current"] == "deleted":
            raise Refused("getImageSource", status=404, code="404.image.source")
        return source

    def list(self, hub: str = "") -> list[Json]:
        """``getImageSources``, all of them at once, by id, deleted ones left out; without a hub those of all."""
        there = (source for source in self.sources.values() if source["state"]["current"] != "deleted")
        return [source for source in there if hub in ("", source["hub_id"])]

    def update(self, source_id: str, changes: Json, hub: str = HUB_ID) -> Json:
        """``updateImageSource`` and ``updateImageSourceAccess``."""
        if self.get(source_id, hub)["state"]["current"] != "live":
            raise Refused("updateImageSource", status=403, code="403.invalid-state")
        self.sources[source_id] = self.sources[source_id] | changes
        self.writes.append(("update", source_id))
        return self.sources[source_id]

    def delete(self, source_id: str, hub: str = HUB_ID) -> Json:
        """``deleteImageSource``: a job begins, unless one is running."""
        self.get(source_id, hub)
        running = [
            job for job in self.jobs.values() if job["source"] == source_id and job["state"]["current"] == "running"
        ]
        job = running[0] if running else self._begin(source_id)
        self.writes.append(("delete", source_id))
        return {"action": "delete", "job": {"id": job["id"], "accepted": True}}

    def job(self, job_id: str) -> Json:
        """``getJob``."""
        if job_id not in self.jobs:
            raise Refused("getJob", status=404, code="404.job")
        return self.jobs[job_id]

    def finish(self, job_id: str, fault: Fault) -> None:
        """The job that deletes a source comes to its end."""
        job = self.jobs[job_id]
        if fault is Fault.JOB_FAILS:
            self.jobs[job_id] = job | {"state": {"current": "error", "error": {"message": "it failed"}}}
            return
        self.jobs[job_id] = job | {"state": {"current": "completed"}}
        if fault is Fault.JOB_VANISHES:
            del self.jobs[job_id]
        if fault is not Fault.JOB_LIES:
            self.set_state(job["source"], "deleted")

    def set_state(self, source_id: str, state: str) -> None:
        """Put a source into another state."""
        source = self.sources[source_id]
        self.sources[source_id] = source | {"state": source["state"] | {"current": state}}

    def _begin(self, source_id: str) -> Json:
        self.set_state(source_id, "deleting")
        job_id = self._id()
        self.jobs[job_id] = {
            "id": job_id,
            "hub_id": self.sources[source_id]["hub_id"],
            "caption": "delete",
            "events": {"queued": _EPOCH, "started": _EPOCH, "completed": _NOT_YET},
            "state": {"current": "running"},
            "tasks": [],
            "source": source_id,
        }
        self.on_job(job_id)
        return self.jobs[job_id]

    def _id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"
