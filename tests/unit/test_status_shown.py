"""What status shows of jobs, Secrets and others' words: enough to act on, and nothing that may carry a secret."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import documents
from tests.support.builders import (
    LATER,
    MARKER,
    NOW,
    PIN,
    UNRESTRICTED,
    access,
    acl,
    image_source,
    source,
    source_id,
    wanted,
)
from tests.support.documents import JOB_ID

from imagesources.platform.models import Job, JobDescriptor
from imagesources.reconcile.model import Done, Problem
from imagesources.reconcile.status import Seen, Statement, clean, describe, redacted, with_job, with_secrets
from imagesources.resources.conditions import Reason
from imagesources.resources.imagesource import ImageSource
from imagesources.resources.status import Drift, DriftField, ImageSourceStatus, JobStatus, UsedSecret

Json = dict[str, Any]


SETTLED, CREATING = Statement(drift=()), Statement(Problem(Reason.CREATING, "the source is being created"))


def described(
    said: Statement, seen: Any = None, resource: ImageSource | None = None, now: Any = NOW
) -> ImageSourceStatus:
    """Returns the status that follows from a statement about a source."""
    return describe(resource or image_source(), wanted(), said, now, Seen(PIN, seen or source()))


def test_describe_mirrors_source() -> None:
    """What the platform says of the source is shown as it is."""
    seen = source(acl=acl(dev="view").model_dump(), meta={"images_count": {"total": 7, "state": {}}}, identifier="shop")
    status = described(SETTLED, seen)
    assert (
        status.to_json()
        | {
            "state": "live",
            "identifier": "shop",
            "creator": {"id": "651586fca6078e98982dbd99", "type": "api-key"},
            "created": documents.NOW,
            "updated": documents.NOW,
            "imagesCount": 7,
            "acl": {"roles": {"dev": {"view": True, "modify": False, "manage": False}}},
            "hub": PIN.to_json(),
            "deletionPolicy": "Delete",
            "observedGeneration": 1,
            "managed": ["name", "origin"],
        }
        == status.to_json()
    )
    assert "drift" not in status.to_json()


def test_describe_hides_marker() -> None:
    """The marker is the operator's own affair and not shown as the identifier."""
    status = described(CREATING, source(identifier=MARKER))
    assert status.identifier is None


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        pytest.param({"acl": None}, {"acl": {"unrestricted": True}}, id="no access list"),
        pytest.param({"acl": {"roles": {}}}, {"acl": {"roles": {}}}, id="an empty access list"),
        pytest.param({"state": "deleting"}, {"state": "deleting"}, id="state"),
    ],
)
def test_describe_mirrors_variants(changes: Json, shown: Json) -> None:
    """Null and empty are told apart."""
    status = described(SETTLED, source(**changes)).to_json()
    assert status | shown == status


def test_describe_drift() -> None:
    """Drift is shown field by field in the words of spec, since when it was first seen, and goes when it ends."""
    drift = (
        ("name", "Web", "Shop"),
        ("origin.details.build_file", "Dockerfile", None),
        ("origin.details.repo.url", "https://a:b@host", "https://c:d@host"),
        ("acl", UNRESTRICTED, acl()),
    )
    first = described(Statement(drift=drift))
    second = described(Statement(drift=drift[:1]), resource=image_source(status=first.to_json()), now=LATER)
    shown = first.drift
    assert isinstance(shown, Drift)
    assert [(f.path, f.desired, f.observed) for f in shown.fields[:3]] == [
        ("name", "Web", "Shop"),
        ("origin.details.buildFile", "Dockerfile", "absent"),
        ("origin.details.repo.url", "(not shown)", "(not shown)"),
    ]
    assert (shown.fields[3].path, shown.fields[3].desired) == ("acl", "unrestricted")
    assert second.drift == Drift(detected=NOW, fields=(DriftField(path="name", desired="Web", observed="Shop"),))
    assert described(SETTLED, resource=image_source(status=second.to_json())).drift is None


def test_describe_drift_to_unrestricted() -> None:
    """That others have lifted every restriction is said in this word, and is not called absent."""
    found = described(Statement(drift=(("acl", access(), None),)))
    assert found.drift is not None
    assert found.drift.fields[0].observed == "unrestricted"


def test_describe_drift_of_access_is_readable() -> None:
    """An access list is shown in the words of spec, not as a Python value."""
    found = described(Statement(drift=(("acl", access(dev="view"), acl()),)))
    assert found.drift is not None
    shown = found.drift.fields[0]
    assert "AclEntry(" not in f"{shown.desired}{shown.observed}"


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        pytest.param("name", "Web", "Web", id="plain"),
        pytest.param("name", None, None, id="none"),
        pytest.param("name", "x" * 300, "x" * 255 + "…", id="long"),
        pytest.param("origin.details.url", "https://host", "(not shown)", id="url"),
        pytest.param("origin.details.credentials[0].url", "https://host", "(not shown)", id="url in a list"),
        pytest.param("origin.details.targz_url", "https://host", "(not shown)", id="archive"),
        pytest.param("origin.details.auth.details.credentials.config", "e30=", "(not shown)", id="configuration"),
        pytest.param("origin.details.target", "nginx", "nginx", id="target"),
        pytest.param("about.description", "url", "url", id="only the path decides"),
    ],
)
def test_redacted(path: str, value: str | None, shown: str | None) -> None:
    """Values are shown, cut, unless their field may carry a secret."""
    assert redacted(path, value) == shown


@pytest.mark.parametrize("value", [{"token": "s3cret"}, ["s3cret"]], ids=["object", "list"])
def test_redacted_unexpected(value: object) -> None:
    """An object where a text should be is not shown: nobody knows what is in it."""
    assert "s3cret" not in (redacted("origin.details.target", value) or "")


_WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1)
_USER_INFO = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="/?#"), min_size=8)


@given(_WORDS, _USER_INFO, _USER_INFO)
def test_clean_strikes_credentials(word: str, user_info: str, query: str) -> None:
    """Of a URL in the platform's words, neither user nor query is left."""
    assert clean(f"{word}: https://{user_info}@host/path?{query} failed") == f"{word}: https://…@host/path failed"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("no such image", "no such image", id="plain"),
        pytest.param("https://host/path: 404", "https://host/path: 404", id="nothing to strike"),
        pytest.param("me@example.com", "me@example.com", id="no URL"),
        pytest.param("https://host/p#token=1", "https://host/p", id="fragment"),
        pytest.param("a https://u:p@h b https://v:q@i c", "a https://…@h b https://…@i c", id="two"),
        pytest.param("x" * 600, "x" * 511 + "…", id="long"),
        pytest.param("a https://" + "u" * 5000 + "@h", "a https://…@", id="a user that does not end"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    """Anything else is left, cut to a length for status."""
    assert clean(text) == shown


def test_with_secrets() -> None:
    """Secrets are noted by version and name, in order; none leaves nothing behind."""
    known = with_secrets(ImageSourceStatus(), {"b": ("u2", "7"), "a": ("u1", "5")})
    assert known.credentials == (
        UsedSecret(name="a", uid="u1", resource_version="5"),
        UsedSecret(name="b", uid="u2", resource_version="7"),
    )
    assert with_secrets(known, {}).credentials is None


def job(state: str = "running", error: str | None = None, tasks: list[Json] | None = None, **times: str) -> Job:
    """Returns a job of the platform."""
    document = documents.job()
    document["state"] |= {"current": state, "error": error and {"message": error}}
    document["events"] = document["events"] | times
    return Job.model_validate(document | ({} if tasks is None else {"tasks": tasks}))


def task(state: str = "running", steps: int = 0, of: int = 0, error: str | None = None) -> Json:
    """Returns a task of a job with so many steps done."""
    known = documents.job()["tasks"][0]
    step = known["steps"][0]
    done = [step | {"completed": documents.NOW}] * steps + [step] * (of - steps)
    return known | {"steps": done or None, "error": error and {"message": error}} | {"state": {"current": state}}


def shown(found: Job | None, old: Json | None = None) -> JobStatus:
    """Returns the job as status shows it."""
    status = with_job(image_source(status={"job": old} if old else {}).status, Done(), found, NOW)
    assert status.job is not None
    return status.job


@pytest.mark.parametrize(
    ("found", "summary", "progress"),
    [
        pytest.param(job("queued", tasks=[]), "queued", None, id="no tasks"),
        pytest.param(job(tasks=[task("completed"), task(), task("pending")]), "running 1/3", "1/3", id="tasks"),
        pytest.param(job("completed", tasks=[task("completed")]), "completed", "1/1", id="completed"),
        pytest.param(job("error", tasks=[task("error")]), "error", "0/1", id="error"),
        pytest.param(job("expired", tasks=[task("pending")]), "expired", "0/1", id="expired"),
    ],
)
def test_job_summary(found: Job, summary: str, progress: str | None) -> None:
    """A job is one word, and while it runs its tasks are counted."""
    assert (shown(found).summary, shown(found).progress) == (summary, progress)


def test_job_of_a_source_with_credentials() -> None:
    """What the platform says of errors is not shown where it was sent credentials: it may repeat them."""
    done = Done(source=None)
    sent = with_secrets(ImageSourceStatus(), {"login": ("u", "1")})
    failed = job("error", tasks=[task("error", 1, 3, "canary")])
    found = with_job(sent, done, failed, NOW)
    assert "canary" not in str(found)
    assert found.job and found.job.error and "the platform shows it" in found.job.error


def test_job_tasks() -> None:
    """Each task shows its caption, state, steps and error, cleaned."""
    found = shown(job(tasks=[task("completed", 2, 2), task("error", 1, 3, "at https://u:p@h"), task("pending")]))
    assert [(t.caption, t.state, t.steps, t.error) for t in found.tasks] == [
        ("Remove images", "completed", "2/2", None),
        ("Remove images", "error", "1/3", "at https://…@h"),
        ("Remove images", "pending", None, None),
    ]


@pytest.mark.parametrize(
    ("tasks", "percent"),
    [
        pytest.param([], None, id="no tasks"),
        pytest.param([task("pending"), task("pending")], 0, id="not begun"),
        pytest.param([task("completed"), task("running", 1, 3)], 50, id="a task without steps counts as one"),
        pytest.param([task("completed", 1, 3), task("running", 0, 1)], 75, id="a completed task is all done"),
        pytest.param([task("completed", 2, 2), task("completed")], 100, id="done"),
    ],
)
def test_job_percent(tasks: list[Json], percent: int | None) -> None:
    """Tasks and their steps are counted in percent."""
    assert shown(job(tasks=tasks)).percent == percent


def test_job_times() -> None:
    """The platform's zero time means not yet, and a job that has not ended has no end."""
    running, ended = shown(job(started=documents.NOT_YET)), shown(job("completed", completed="2026-01-30T09:00:00Z"))
    assert (running.queued, running.started, running.finished) == (NOW, None, None)
    assert (ended.started, ended.finished) == (NOW, LATER)
    assert (running.tasks[0].started, running.tasks[0].finished) == (NOW, None)


@pytest.mark.parametrize(
    ("found", "error"),
    [
        pytest.param(job("error", "disk https://u:p@h full"), "disk https://…@h full", id="the job's"),
        pytest.param(job("error", tasks=[task(), task("error", error="in use")]), "in use", id="a task's"),
        pytest.param(
            job("error", "first", tasks=[task("error", error="second")]), "first", id="the job's before a task's"
        ),
        pytest.param(job("error"), None, id="none given"),
        pytest.param(job("running", tasks=[task("error", error="tried again")]), None, id="not failed yet"),
    ],
)
def test_job_error(found: Job, error: str | None) -> None:
    """A failed job says why, in its own words or in those of the task that failed."""
    assert shown(found).error == error


@pytest.mark.parametrize(
    ("old", "action"),
    [
        pytest.param({"id": JOB_ID, "action": "delete", "state": "queued"}, "delete", id="what was asked for"),
        pytest.param({"id": source_id(1), "action": "delete", "state": "queued"}, "Delete", id="another job"),
        pytest.param(None, "Delete", id="no job before"),
    ],
)
def test_job_action(old: Json | None, action: str) -> None:
    """A job keeps the name of what the operator asked for."""
    assert shown(job(), old).action == action


@pytest.mark.parametrize(("accepted", "state"), [(True, "queued"), (False, "not accepted")])
def test_job_announced(accepted: bool, state: str) -> None:
    """A job is shown from the moment that it is announced."""
    ticket = JobDescriptor.model_validate({"action": "delete", "job": {"id": JOB_ID, "accepted": accepted}})
    status = with_job(ImageSourceStatus(), Done(ticket=ticket), None, NOW)
    assert status.job == JobStatus(id=JOB_ID, action="delete", state=state, summary=state, queued=NOW)


def test_job_of_a_kind_without_job() -> None:
    """A deletion without a job says nothing about one, and the last job stays."""
    known = ImageSourceStatus(job=shown(job()))
    assert with_job(known, Done(ticket=JobDescriptor(action="delete")), None, NOW) == known
    assert with_job(known, Done(), None, NOW) == known


def test_job_with_many_tasks() -> None:
    """A job of any size fits into status."""
    assert len(shown(job(tasks=[task()] * 100)).tasks) == 64
