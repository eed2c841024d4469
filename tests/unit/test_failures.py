"""What a failed call means: for the step that made it, and for the hub as a whole."""

from typing import Any

import pytest
from tests.support.builders import URL, access
from tests.support.documents import JOB_ID, SOURCE_ID

from imagesources.hubs.trouble import trouble_listing, trouble_of
from imagesources.platform.errors import NotSent, PlatformError, Refused, Unanswered
from imagesources.reconcile.failures import judge, spec_path
from imagesources.reconcile.model import Create, Delete, FinishCreate, Look, Step, Update, UpdateAccess, WatchJob
from imagesources.resources.conditions import Reason

CREATE = Create({})
UPDATE = Update(SOURCE_ID, {"name": "Web"})
OTHERS = (UPDATE, UpdateAccess(SOURCE_ID, access()), FinishCreate(SOURCE_ID, "web"), Delete(SOURCE_ID), Look(SOURCE_ID))
STEPS = (CREATE, *OTHERS, WatchJob(JOB_ID))


def refused(status: int, code: str, **more: Any) -> Refused:
    """Returns a refusal."""
    return Refused("updateImageSource", status=status, code=code, **more)


NOT_SENT = NotSent("createImageSource", "the host name does not resolve")
UNANSWERED = Unanswered("createImageSource", "HTTP 502")


def name_of(value: object) -> str:
    """Names a case after its step or error."""
    return getattr(value, "code", type(value).__name__)


HUB_WIDE = [
    pytest.param(NOT_SENT, Reason.PLATFORM_UNREACHABLE, [URL, "does not resolve"], id="not sent"),
    pytest.param(refused(401, "401.auth-invalid"), Reason.KEY_REJECTED, ["401.auth-invalid", "Secret"], id="key"),
    pytest.param(refused(401, "401.unknown"), Reason.KEY_REJECTED, ["Secret"], id="another 401"),
    pytest.param(refused(404, "404.hub"), Reason.WRONG_HUB, ["hubId"], id="no such hub"),
    pytest.param(refused(403, "403.wrong-hub"), Reason.WRONG_HUB, ["another hub"], id="key of another hub"),
    pytest.param(refused(403, "403.mismatch"), Reason.WRONG_HUB, ["spec.platform"], id="key does not fit"),
]


@pytest.mark.parametrize("step", STEPS, ids=name_of)
@pytest.mark.parametrize(("error", "reason", "words"), HUB_WIDE)
def test_judge_hub_wide(error: PlatformError, reason: Reason, words: list[str], step: Step) -> None:
    """Some failures concern all sources of a hub, and mean that nothing was applied, whatever was being done."""
    verdict = judge(error, step, URL)
    assert (verdict.problem.reason, verdict.problem.of_hub, verdict.unknown, verdict.gone) == (
        reason,
        True,
        False,
        False,
    )
    assert not verdict.problem.permanent
    assert [word for word in words if word not in verdict.problem.message] == []


@pytest.mark.parametrize(
    "error", [UNANSWERED, refused(409, "409.duplicate-found"), refused(422, "422.already-exists")], ids=name_of
)
def test_judge_create_unknown(error: PlatformError) -> None:
    """A create that is not answered, or told that it exists, may have been applied: it is looked for."""
    verdict = judge(error, CREATE, URL)
    assert verdict.problem.reason is Reason.OUTCOME_UNKNOWN
    assert (verdict.unknown, verdict.problem.of_hub, verdict.gone, verdict.problem.permanent) == (
        True,
        False,
        False,
        False,
    )


@pytest.mark.parametrize("step", [step for step in STEPS if step is not CREATE], ids=name_of)
def test_judge_unanswered(step: Step) -> None:
    """Anything else that is not answered is simply done again: it does not matter whether it was applied."""
    verdict = judge(UNANSWERED, step, URL)
    assert verdict.problem.reason is Reason.PLATFORM_UNREACHABLE
    assert (verdict.unknown, verdict.problem.of_hub, verdict.problem.permanent) == (False, False, False)
    assert "HTTP 502" in verdict.problem.message


@pytest.mark.parametrize("step", OTHERS, ids=name_of)
def test_judge_gone(step: Step) -> None:
    """Only the code 404.image.source says that a source is gone."""
    assert judge(refused(404, "404.image.source"), step, URL).gone
    for code in ("404.uri", "404.unknown", "404.job", "404.integration"):
        verdict = judge(refused(404, code), step, URL)
        assert (verdict.gone, verdict.problem.reason) == (False, Reason.REFUSED)


def test_judge_create_names_missing_source() -> None:
    """A create has no source that could be gone: 404.image.source speaks of one that its origin names."""
    verdict = judge(refused(404, "404.image.source", source="#/origin/details/source_id"), CREATE, URL)
    assert (verdict.gone, verdict.problem.reason) == (False, Reason.REFUSED)
    assert "spec.origin.details.sourceId" in verdict.problem.message


@pytest.mark.parametrize("step", [CREATE, UPDATE], ids=name_of)
@pytest.mark.parametrize("seconds", [None, 0.0, 12.5])
def test_judge_rate_limited(step: Step, seconds: float | None) -> None:
    """The platform may ask to wait, and say how long."""
    verdict = judge(refused(429, "429.rate-limiting", retry_after=seconds), step, URL)
    assert (verdict.problem.reason, verdict.retry_in, verdict.unknown) == (Reason.RATE_LIMITED, seconds, False)
    assert not verdict.problem.permanent


@pytest.mark.parametrize("step", [CREATE, UPDATE], ids=name_of)
@pytest.mark.parametrize(
    ("capability", "words"),
    [
        pytest.param(
            "images-sources-manage", ["capability images-sources-manage", "updateImageSource"], id="capability"
        ),
        pytest.param("", ["privilege", "updateImageSource"], id="access list"),
    ],
)
def test_judge_forbidden(capability: str, words: list[str], step: Step) -> None:
    """A missing right is named, and heals by itself."""
    verdict = judge(refused(403, "403.restricted-portion", capability=capability), step, URL)
    assert (verdict.problem.reason, verdict.problem.permanent, verdict.problem.of_hub) == (
        Reason.FORBIDDEN,
        False,
        False,
    )
    assert [word for word in words if word not in verdict.problem.message] == []


@pytest.mark.parametrize(
    ("error", "step", "reason"),
    [
        pytest.param(refused(403, "403.permissions"), UPDATE, Reason.ACCESS_LOST, id="the access list"),
        pytest.param(refused(403, "403.permissions"), CREATE, Reason.FORBIDDEN, id="no access list yet"),
        pytest.param(
            refused(403, "403.permissions", capability="images-sources-manage"),
            UPDATE,
            Reason.FORBIDDEN,
            id="capability",
        ),
    ],
)
def test_judge_access_lost(error: Refused, step: Step, reason: Reason) -> None:
    """A source that does not let the operator in is told from a key that lacks a capability."""
    verdict = judge(error, step, URL)
    assert (verdict.problem.reason, verdict.problem.permanent, verdict.gone) == (reason, False, False)


@pytest.mark.parametrize(
    ("error", "step"),
    [
        pytest.param(refused(400, "400.invalid-syntax"), CREATE, id="bad request"),
        pytest.param(refused(422, "422.missing-argument"), CREATE, id="missing argument"),
        pytest.param(refused(409, "409.conflicting-change"), CREATE, id="conflict at create"),
        pytest.param(refused(409, "409.duplicate-found"), UPDATE, id="duplicate at update"),
        pytest.param(refused(422, "422.already-exists"), UPDATE, id="exists at update"),
        pytest.param(refused(415, "415.unknown"), UPDATE, id="media type"),
    ],
)
def test_judge_refused(error: Refused, step: Step) -> None:
    """Whatever else the platform refuses only a person can correct; it was not applied."""
    verdict = judge(error, step, URL)
    assert (verdict.problem.reason, verdict.problem.permanent, verdict.unknown) == (Reason.REFUSED, True, False)
    assert error.code in verdict.problem.message


def test_judge_refused_names_field() -> None:
    """A refusal names the field of spec that it is about."""
    error = refused(422, "422.invalid-argument", source="#/origin/details/target")
    assert "at spec.origin.details.target" in judge(error, UPDATE, URL).problem.message


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        pytest.param("", "spec", id="whole"),
        pytest.param("/name", "spec.name", id="top"),
        pytest.param("#/origin/details/targz_url", "spec.origin.details.targzUrl", id="fragment and camel case"),
        pytest.param("/acl/roles/a~1b~0c", "spec.acl.roles", id="a key of a map"),
        pytest.param("/origin/s3cret/url", "spec.origin", id="no field of spec"),
        pytest.param("/origin/details/token", "spec.origin.details.token", id="a field that comes from a Secret"),
        pytest.param("/origin/details/credentials/0/url", "spec.origin.details.credentials.0.url", id="list"),
        pytest.param("/", "spec", id="slash"),
    ],
)
def test_spec_path(pointer: str, path: str) -> None:
    """A JSON pointer into a request becomes the path of the field in spec."""
    assert spec_path(pointer) == path


@pytest.mark.parametrize(("error", "reason", "words"), HUB_WIDE)
def test_trouble_of_hub(error: PlatformError, reason: Reason, words: list[str]) -> None:
    """What concerns the whole hub is told the same way by a list as by any other call."""
    trouble = trouble_of(error, URL)
    assert trouble is not None
    assert (trouble.reason, trouble) == (reason, trouble_listing(error, URL))
    assert [word for word in words if word not in trouble.message] == []


@pytest.mark.parametrize(
    "error",
    [
        UNANSWERED,
        refused(403, "403.restricted-portion", capability="images-sources-manage"),
        refused(404, "404.image.source"),
        refused(404, "404.uri"),
        refused(409, "409.duplicate-found"),
        refused(429, "429.rate-limiting"),
    ],
    ids=name_of,
)
def test_trouble_of_one_call(error: PlatformError) -> None:
    """Any other failure concerns the call alone."""
    assert trouble_of(error, URL) is None


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        pytest.param(UNANSWERED, Reason.PLATFORM_UNREACHABLE, [URL, "HTTP 502"], id="unanswered"),
        pytest.param(refused(429, "429.rate-limiting"), Reason.RATE_LIMITED, ["wait"], id="rate"),
        pytest.param(
            refused(403, "403.restricted", capability="some-view"), Reason.FORBIDDEN, ["some-view"], id="named"
        ),
        pytest.param(refused(403, "403.restricted"), Reason.FORBIDDEN, ["images-sources-view"], id="not named"),
        pytest.param(refused(400, "400.invalid-syntax"), Reason.REFUSED, ["400.invalid-syntax"], id="refused"),
        pytest.param(refused(404, "404.uri"), Reason.REFUSED, ["404.uri"], id="no such address"),
    ],
)
def test_trouble_listing(error: PlatformError, reason: Reason, words: list[str]) -> None:
    """Where even a list fails, it always concerns the whole hub."""
    trouble = trouble_listing(error, URL)
    assert trouble.reason is reason
    assert [word for word in words if word not in trouble.message] == []


def test_messages_say_what_to_do() -> None:
    """No message shows a Python value, or is left without words."""
    errors = [case.values[0] for case in HUB_WIDE] + [UNANSWERED, refused(400, "400.x"), refused(429, "429.y")]
    for error in errors:
        for step in STEPS:
            message = judge(error, step, URL).problem.message
            assert len(message) > 20
            assert not any(sign in message for sign in ("None", "{", "<", "()"))
