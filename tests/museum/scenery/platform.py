"""The platform as a model in memory: the operations that the operator uses, atomic and instant.

What makes it hard (delay, loss, stale answers) is the network's doing, in ``network``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.museum.scenery.values import clone, wall_clock

from imagesources.platform.errors import Refused
from imagesources.platform.models import ZERO_TIME

Json = dict[str, Any]

HUB_ID = "aaaaaaaaaaaaaaaaaaaaaaaa"
OPERATOR_KEY = "bbbbbbbbbbbbbbbbbbbbbbbb"
_EPOCH = "2026-01-01T00:00:00Z"
_NOT_YET = ZERO_TIME.isoformat()


@dataclass
class Platform:
    """Sources and jobs of one hub, as the API shows them.

    Attributes:
        sources: by id; a deleted one stays, in state ``deleted``.
        jobs: by id, with the source that each deletes.
        posted: for each source: the marker that it was created with.
        writes: every applied change: operation and source id.
        fail_jobs: how many of the next jobs fail.
        on_job: told of each job that begins.
    """

    sources: dict[str, Json] = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    posted: dict[str, str] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    fail_jobs: int = 0
    on_job: Callable[[str], None] = lambda _job_id: None
    _ids: int = 0

    def live(self) -> list[Json]:
        """All sources that are live."""
        return [source for source in self.sources.values() if source["state"]["current"] == "live"]

    def create(self, body: Json, creator: str = OPERATOR_KEY) -> Json:
        """``createImageSource``."""
        source_id = self._id()
        self.sources[source_id] = {
            "id": source_id,
            "hub_id": HUB_ID,
            "identifier": body["identifier"],
            "name": body["name"],
            "type": body["type"],
            "origin": clone(body["origin"]),
            "builder": body.get("builder"),
            "about": body.get("about"),
            "acl": clone(body.get("acl")),
            "creator": {"id": creator, "type": "api-key"},
            "state": {"current": "live", "changed": _EPOCH},
            "events": {"created": wall_clock().isoformat(), "updated": _EPOCH, "deleted": _NOT_YET},
        }
        self.posted[source_id] = body["identifier"]
        self.writes.append(("create", source_id))
        return clone(self.sources[source_id])

    def get(self, source_id: str) -> Json:
        """``getImageSource``; a deleted source is gone."""
        source = self.sources.get(source_id)
        if source is None or source["state"]["current"] == "deleted":
            raise Refused("getImageSource", status=404, code="404.image.source")
        return clone(source)

    def list(self, identifier: str | None = None) -> list[Json]:
        """``getImageSources``, all of them at once, deleted ones left out."""
        return [
            clone(source)
            for source_id, source in sorted(self.sources.items())
            if source["state"]["current"] != "deleted" and identifier in (None, source["identifier"])
        ]

    def update(self, source_id: str, changes: Json) -> Json:
        """``updateImageSource`` and ``updateImageSourceAccess``."""
        self.get(source_id)
        self._must_be_live(source_id)
        self.sources[source_id] |= clone(changes)
        self.writes.append(("update", source_id))
        return self.get(source_id)

    def delete(self, source_id: str) -> Json:
        """``deleteImageSource``: a job begins."""
        source = self.get(source_id)
        running = [
            job for job in self.jobs.values() if job["source"] == source_id and job["state"]["current"] == "running"
        ]
        job = running[0] if running else self._begin(source["id"])
        self.writes.append(("delete", source_id))
        return {"action": "delete", "job": {"id": job["id"], "accepted": True}}

    def job(self, job_id: str) -> Json:
        """``getJob``."""
        if job_id not in self.jobs:
            raise Refused("getJob", status=404, code="404.job")
        return clone(self.jobs[job_id])

    def finish(self, job_id: str) -> None:
        """The job that deletes a source comes to its end, or fails and leaves the source as it is."""
        job = self.jobs[job_id]
        if self.fail_jobs:
            self.fail_jobs -= 1
            job["state"] = {"current": "error", "error": {"message": "it failed"}}
            return
        job["state"]["current"] = "completed"
        self.sources[job["source"]]["state"]["current"] = "deleted"

    def _begin(self, source_id: str) -> Json:
        self.sources[source_id]["state"]["current"] = "deleting"
        times = {"queued": _EPOCH, "started": _EPOCH, "completed": _NOT_YET}
        job_id = self._id()
        self.jobs[job_id] = {
            "id": job_id,
            "hub_id": HUB_ID,
            "caption": "delete",
            "events": times,
            "state": {"current": "running"},
            "tasks": [],
            "source": source_id,
        }
        self.on_job(job_id)
        return self.jobs[job_id]

    def _must_be_live(self, source_id: str) -> None:
        if self.sources[source_id]["state"]["current"] != "live":
            raise Refused("updateImageSource", status=403, code="403.invalid-state")

    def _id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"
