"""The conditions of what passes or goes wrong on the platform, which no policy decides."""

from typing import Any

from tests.support import documents
from tests.support.platform import SOURCES
from tests.support.proxy import LOST, Call, Fault, refusal
from tests.support.scene import Scene, is_list
from tests.support.waiting import wait_for

from imagesources.resources import FINALIZER

Json = dict[str, Any]

DONE = documents.NOW


def said(status: int, data: Json) -> Fault:
    """An answer instead of the platform's."""
    return Fault(forward=False, answer=(status, {"data": data}))


def announced(*, accepted: bool = True) -> Fault:
    """The answer to a DELETE whose job is never really queued."""
    job = {"id": documents.JOB_ID, "accepted": accepted, "queue": "images"}
    return said(202, {"action": "delete", "description": "Delete", "job": job})


def test_creating(stage: Scene) -> None:
    """Between POST and the first PATCH the resource has its id, is being created, and is not Ready."""
    stage.create("slow")
    assert stage.has_said("slow", "Creating", "Reconciling")
    assert stage.condition("slow", "Reconciling") is None
    (said,) = (write.body["status"] for write in stage.writes(name="slow") if "id" in write.body.get("status", {}))
    conditions = {each["type"]: (each["status"], each["reason"]) for each in said["conditions"]}
    assert conditions["Ready"] == ("False", "Creating")


def test_outcome_unknown(stage: Scene) -> None:
    """After a create without an answer the platform is asked who carries the mark, and nothing is created twice."""
    stage.calls.rule = lambda call: LOST if call.method == "POST" else None
    stage.create("lost")
    first, *later = stage.has_said("lost", "OutcomeUnknown")
    assert "a create was sent and not answered" in first
    assert all("its outcome is being found out" in message for message in (first, *later))
    assert len(stage.platform.sources(name="lost")) == 1


def test_rate_limited(stage: Scene) -> None:
    """Being asked to wait is said, and is no failure for good."""
    stage.create("eager")
    stage.calls.rule = lambda call: refusal(429, "429.rate-limiting") if call.is_write else None
    stage.edit("eager", name="More")
    assert stage.reason("eager", "RateLimited", "Reconciling").status == "True"
    stage.calls.rule = None
    stage.ready("eager")


def test_pending_hub(stage: Scene) -> None:
    """A Hub whose sources are being listed for the first time says so."""
    stage.calls.rule = lambda call: Fault(delay=0.7) if is_list(call) else None
    stage.kubectl.apply(*stage.platform.hub(stage.calls.url, "listed"))
    stage.reason("listed", "Reachable", resource="hub")
    assert "for the first time" in stage.has_said("listed", "Pending", resource="hub")[0]
    stage.kubectl("delete", "hub", "listed", "--timeout=5s")


def test_job(stage: Scene) -> None:
    """A deletion shows its job as it runs: tasks with their steps and times, percentage, and both columns."""
    source_id = stage.create("long")["status"]["id"]
    tasks = documents.job()["tasks"]
    steps = [{**tasks[0]["steps"][0], "completed": DONE}, tasks[0]["steps"][0], tasks[0]["steps"][0]]
    done = tasks[0] | {
        "caption": "Prepare",
        "steps": [],
        "state": {"current": "completed", "changed": DONE},
        "events": {"queued": DONE, "started": DONE, "completed": DONE},
    }
    job = documents.job(hub_id=stage.platform.hub_id, tasks=[done, tasks[0] | {"steps": steps}])

    def slow(call: Call) -> Fault | None:
        if call.method == "DELETE":
            return announced()
        return said(200, job) if "/jobs/" in call.path else None

    def over(call: Call) -> Fault | None:
        ended = job | {"state": {"current": "completed", "changed": DONE, "error": None}}
        return said(200, ended) if documents.JOB_ID in call.path else None

    stage.calls.rule = slow
    stage.kubectl("delete", "imagesource", "long", "--wait=false")
    assert stage.reason("long", "Deleting").status == "False"
    wait_for(lambda: stage.status("long")["job"].get("progress") == "1/2", what="progress")
    shown = stage.status("long")["job"]
    assert (shown["id"], shown["action"], shown["state"]) == (documents.JOB_ID, "delete", "running")
    assert (shown["percent"], shown["summary"], shown["started"]) == (50, "running 1/2", DONE)
    assert "finished" not in shown
    prepare, remove = shown["tasks"]
    assert prepare == {"caption": "Prepare", "state": "completed", "started": DONE, "finished": DONE}
    assert (remove["steps"], remove["started"], "finished" in remove) == ("1/3", DONE, False)
    assert "running 1/2" in stage.kubectl("get", "imagesource", "long")
    stage.platform("DELETE", f"{SOURCES}/{source_id}")
    stage.calls.rule = over
    stage.kubectl("wait", "--for=delete", "imagesource/long", "--timeout=20s")
    assert stage.platform.sources(id=source_id) == []


def test_job_failed(stage: Scene) -> None:
    """A job that fails leaves source and resource, says why, and the deletion is asked for again."""
    stage.create("in-use")
    error = {"message": "An image is in use, see https://ci:canary-task@registry.example.com."}
    failed = documents.job(hub_id=stage.platform.hub_id, state={"current": "error", "changed": DONE, "error": error})

    def failing(call: Call) -> Fault | None:
        if call.method == "DELETE":
            return announced()
        return said(200, failed) if "/jobs/" in call.path else None

    stage.calls.rule = failing
    stage.kubectl("delete", "imagesource", "in-use", "--wait=false")
    assert "the deletion is asked for again" in stage.reason("in-use", "JobFailed").message
    shown = stage.get("in-use")
    assert "An image is in use" in shown["status"]["job"]["error"]
    assert "canary" not in str(shown)
    assert shown["metadata"]["finalizers"] == [FINALIZER]
    wait_for(lambda: "JobFailed" in dict(stage.told("in-use")), what="the Event")
    stage.calls.rule = None
    stage.kubectl("wait", "--for=delete", "imagesource/in-use", "--timeout=20s")


def test_job_not_accepted(stage: Scene) -> None:
    """A job that the platform does not accept has a condition of its own, and is asked for again."""
    stage.create("too-busy")
    stage.calls.rule = lambda call: announced(accepted=False) if call.method == "DELETE" else None
    stage.kubectl("delete", "imagesource", "too-busy", "--wait=false")
    assert "it is asked for again" in stage.reason("too-busy", "NotAccepted", "JobNotAccepted").message
    assert stage.reason("too-busy", "NotAccepted").status == "False"
    stage.calls.rule = None
    stage.kubectl("wait", "--for=delete", "imagesource/too-busy", "--timeout=20s")


def test_error_of_the_source(stage: Scene) -> None:
    """An error that the platform reports of a live source is told beside Ready, without what a URL in it carries."""
    source_id = stage.create("unwell")["status"]["id"]
    message = "cannot pull from https://ci:canary-pull@registry.example.com/shop?token=canary-query"

    def unwell(answer: Json) -> Json:
        for each in answer["data"] if isinstance(answer["data"], list) else [answer["data"]]:
            if each["id"] == source_id:
                each["state"]["error"] = {"message": message, "time": DONE}
        return answer

    stage.calls.rule = lambda call: Fault(alter=unwell) if call.path.startswith(SOURCES) else None
    shown = stage.reason("unwell", "StateError", "PlatformError").message
    assert "cannot pull from https://" in shown
    assert "canary" not in str(stage.get("unwell"))
    assert stage.reason("unwell", "InSync").status == "True"
    stage.calls.rule = None
    wait_for(lambda: stage.condition("unwell", "PlatformError") is None, what="the end of the error")
