"""The platform as a value: the simulator's rules, applied to a frozen state."""

from typing import Any

from tests.model.core import Clock, running
from tests.model.ports import Question, Reply
from tests.model.values import freeze, thaw
from tests.simulation.faults import Fault
from tests.simulation.platform import OPERATOR_KEY, Platform

from imagesources.platform.errors import Refused

Json = dict[str, Any]
FOREIGN = "c" * 24
"""The creator of sources that are not ours."""


def freeze_platform(platform: Platform) -> int:
    """Write a platform down; what is deleted for good answers as if it had never been."""
    sources = {k: source for k, source in platform.sources.items() if source["state"]["current"] != "deleted"}
    posted = {source_id: platform.posted[source_id] for source_id in sources}
    return freeze({"sources": sources, "jobs": platform.jobs, "posted": posted, "ids": platform._ids})


def thaw_platform(number: int) -> Platform:
    """Make a platform of it again."""
    state = thaw(number)
    return Platform(sources=state["sources"], jobs=state["jobs"], posted=state["posted"], _ids=state["ids"])


class Platforms:
    """Applies requests to platforms, and remembers what came of each."""

    def __init__(self) -> None:
        self._applied: dict[tuple[int, Question], tuple[int, Reply]] = {}
        self._finished: dict[tuple[int, str], int] = {}

    def ask(self, platform: int, question: Question) -> tuple[int, Reply]:
        """Apply a request: the platform after it, and the answer."""
        key = (platform, question)
        if key not in self._applied:
            state = thaw_platform(platform)
            try:
                reply = Reply("ok", freeze(_apply(state, question)))
            except Refused as refused:
                reply = Reply("refused", freeze({"status": refused.status, "code": refused.code}))
            self._applied[key] = (freeze_platform(state) if question.writes else platform, reply)
        return self._applied[key]

    def finish(self, platform: int, job_id: str) -> int:
        """A job comes to its end."""
        key = (platform, job_id)
        if key not in self._finished:
            state = thaw_platform(platform)
            state.finish(job_id, Fault.NONE)
            self._finished[key] = freeze_platform(state)
        return self._finished[key]


def jobs_of(platform: int) -> list[str]:
    """The jobs that are under way."""
    return [job_id for job_id, job in thaw(platform)["jobs"].items() if job["state"]["current"] == "running"]


def _apply(platform: Platform, question: Question) -> Any:
    match question.verb:
        case "create":
            return _created(platform, thaw(question.body))
        case "update":
            return platform.update(question.subject, thaw(question.body))
        case "delete":
            return platform.delete(question.subject)
        case "get":
            return platform.get(question.subject)
        case "job":
            return platform.job(question.subject)
    return [source for source in platform.list() if question.subject in ("", source["identifier"])]


def _created(platform: Platform, body: Json, creator: str = OPERATOR_KEY) -> Json:
    with running(Clock()):  # it dates what it creates
        return platform.create(body, creator)


def first_platform(foreign: Json | None) -> int:
    """A platform with nothing on it, or somebody else's source."""
    platform = Platform()
    if foreign:
        _created(platform, foreign, FOREIGN)
    return freeze_platform(platform)
