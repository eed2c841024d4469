"""What a resource says about itself: conditions that kstatus reads rightly, and nothing that may carry a secret."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from tests.support import documents
from tests.support.builders import (
    LATER,
    NOW,
    PIN,
    UNRESTRICTED,
    access,
    image_source,
    source,
    wanted,
)
from tests.support.documents import JOB_ID, SOURCE_ID
from tests.support.kstatus import Verdict, kstatus

from imagesources.reconcile.model import Problem
from imagesources.reconcile.status import Seen, Statement, describe, matters
from imagesources.resources.conditions import Condition, ConditionType, Reason
from imagesources.resources.imagesource import Acl, ImageSource, ManagementPolicy
from imagesources.resources.status import ImageSourceStatus, Pin

Json = dict[str, Any]

PERMANENT = Problem(Reason.REFUSED, "correct the spec", permanent=True)
PASSING = Problem(Reason.FORBIDDEN, "grant it")
CREATING = Problem(Reason.CREATING, "the source is being created")
NOT_ACCEPTED = Problem(Reason.NOT_ACCEPTED, "it is asked for again")
SUSPENSION = Problem(Reason.SUSPENDED, "spec.suspend is true")
DELETED_AT = "2026-02-01T00:00:00Z"

STATEMENTS = {
    "settled": Statement(drift=()),
    "settled with drift": Statement(drift=(("name", "a", "b"),)),
    "settled with drift of access": Statement(drift=(("acl", access(), None),)),
    "creating": Statement(CREATING),
    "passing": Statement(PASSING),
    "permanent": Statement(PERMANENT),
    "passing, of access": Statement(PASSING, access_problem=True),
    "permanent, of access": Statement(PERMANENT, access_problem=True),
    "not accepted": Statement(NOT_ACCEPTED),
}

SUSPENDED = {
    "suspended": Statement(SUSPENSION),
    "suspended and edited": Statement(SUSPENSION, drift=(("name", "a", "b"),)),
    "suspended, with a new Secret": Statement(SUSPENSION, drift=()),
    "suspended in trouble": Statement(PASSING),
    "suspended in lasting trouble": Statement(PERMANENT),
}
"""What is said while spec.suspend is true."""


def is_suspended(statement: Statement) -> bool:
    """Whether it is one of those."""
    return any(statement is each for each in SUSPENDED.values())


def said(resource: ImageSource) -> dict[str, tuple[str, str]]:
    """Returns the conditions of a resource: status and reason by type."""
    return {known.type: (known.status, known.reason) for known in resource.status.conditions}


def after(
    resource: ImageSource, statement: Statement, *, now: datetime = NOW, seen: Any = None, **wish: Any
) -> ImageSource:
    """Returns the resource with the status that follows from a statement."""
    wish = {"generation": resource.metadata.generation} | wish
    policy = ManagementPolicy.OBSERVE if wish.get("observe_only") else ManagementPolicy.MANAGE
    spec = {
        "acl": Acl(unrestricted=True) if wish.get("access") else None,
        "management_policy": policy,
        "suspend": is_suspended(statement),
    }
    asked = resource.model_copy(update={"spec": resource.spec.model_copy(update=spec)})
    status = describe(asked, wanted(**wish), statement, now, Seen(PIN, seen or source()))
    return asked.model_copy(update={"status": status})


def edited(resource: ImageSource) -> ImageSource:
    """Returns the resource with its next generation."""
    metadata = resource.metadata.model_copy(update={"generation": resource.metadata.generation + 1})
    return resource.model_copy(update={"metadata": metadata})


@pytest.mark.parametrize(
    ("name", "conditions", "verdict"),
    [
        pytest.param(
            "settled",
            {"Ready": ("True", "InSync"), "Synced": ("True", "InSync"), "AccessSynced": ("True", "InSync")},
            Verdict.CURRENT,
            id="settled",
        ),
        pytest.param(
            "settled with drift",
            {"Ready": ("True", "InSync"), "Synced": ("False", "Drifted"), "AccessSynced": ("True", "InSync")},
            Verdict.CURRENT,
            id="drift that is only reported",
        ),
        pytest.param(
            "settled with drift of access",
            {"Ready": ("True", "InSync"), "Synced": ("True", "InSync"), "AccessSynced": ("False", "Drifted")},
            Verdict.CURRENT,
            id="drift of access that is only reported",
        ),
        pytest.param(
            "creating",
            {"Ready": ("False", "Creating"), "Synced": ("False", "Creating"), "Reconciling": ("True", "Creating")},
            Verdict.IN_PROGRESS,
            id="creating",
        ),
        pytest.param(
            "passing",
            {"Ready": ("False", "Forbidden"), "Synced": ("False", "Forbidden"), "Reconciling": ("True", "Forbidden")},
            Verdict.IN_PROGRESS,
            id="a problem that may pass",
        ),
        pytest.param(
            "permanent",
            {"Ready": ("False", "Refused"), "Synced": ("False", "Refused"), "Stalled": ("True", "Refused")},
            Verdict.FAILED,
            id="a problem that only a person can end",
        ),
        pytest.param(
            "passing, of access",
            {
                "Ready": ("False", "Forbidden"),
                "AccessSynced": ("False", "Forbidden"),
                "Reconciling": ("True", "Forbidden"),
            },
            Verdict.IN_PROGRESS,
            id="a problem of access",
        ),
        pytest.param(
            "permanent, of access",
            {"Ready": ("False", "Refused"), "AccessSynced": ("False", "Refused"), "Stalled": ("True", "Refused")},
            Verdict.FAILED,
            id="a permanent problem of access",
        ),
        pytest.param(
            "not accepted",
            {
                "Ready": ("False", "NotAccepted"),
                "Synced": ("False", "NotAccepted"),
                "Reconciling": ("True", "NotAccepted"),
                "JobNotAccepted": ("True", "NotAccepted"),
            },
            Verdict.IN_PROGRESS,
            id="a job that was not accepted",
        ),
    ],
)
def test_describe_first(name: str, conditions: dict[str, tuple[str, str]], verdict: Verdict) -> None:
    """Of a new resource each statement gives these conditions, and kstatus makes this of them."""
    found = after(image_source(), STATEMENTS[name], access=access(dev="view"))
    assert said(found) | conditions == said(found)
    assert {kind for kind, (status, _) in said(found).items() if status == "True"} == {
        kind for kind, (status, _) in conditions.items() if status == "True"
    }
    assert kstatus(found) is verdict


def test_describe_untouched() -> None:
    """A resource that nobody has looked at is in progress."""
    assert kstatus(image_source()) is Verdict.IN_PROGRESS


def test_describe_suspended_first() -> None:
    """A resource that is suspended from the beginning is not taken for one that is in order."""
    found = after(image_source(), SUSPENDED["suspended"])
    assert kstatus(found) is Verdict.IN_PROGRESS
    assert said(found)["Ready"] == ("Unknown", "Suspended")


@pytest.mark.parametrize("name", SUSPENDED)
@pytest.mark.parametrize("before", STATEMENTS)
def test_suspended(name: str, before: str) -> None:
    """A Ready that is True is kept word for word; another gives no reason but the suspension, whatever trouble was."""
    first = after(image_source(), STATEMENTS[before], access=access())
    found = after(edited(first), SUSPENDED[name], now=LATER, access=access())
    kept, ready = first.status.condition(ConditionType.READY), found.status.condition(ConditionType.READY)
    assert kept and ready
    if kept.status == "True":
        assert ready == kept
    else:
        assert (ready.status, ready.reason) == (kept.status, "Suspended")
    again = after(found, SUSPENDED["suspended"], now=LATER, access=access())
    assert {reason for _, reason in said(again).values()} <= {"Suspended", kept.reason if kept.status == "True" else ""}


@pytest.mark.parametrize(
    ("name", "synced", "access_synced"),
    [
        ("suspended", ("Unknown", "Suspended"), ("Unknown", "Suspended")),
        ("suspended and edited", ("False", "Suspended"), ("True", "InSync")),
        ("suspended, with a new Secret", ("False", "Suspended"), ("True", "InSync")),
        ("suspended in trouble", ("Unknown", "Forbidden"), ("Unknown", "Forbidden")),
    ],
)
def test_suspended_synced(name: str, synced: tuple[str, str], access_synced: tuple[str, str]) -> None:
    """What waits, and what keeps the source from being seen, is said beside Ready."""
    found = said(after(after(image_source(), STATEMENTS["settled"]), SUSPENDED[name], access=access()))
    assert (found["Synced"], found["AccessSynced"]) == (synced, access_synced)
    assert found["Reconciling"] == ("True", synced[1])


@pytest.mark.parametrize("names", list(product(STATEMENTS | SUSPENDED, repeat=2)), ids=" then ".join)
@pytest.mark.parametrize("edit", [False, True], ids=["same generation", "edited"])
def test_kstatus_is_never_wrong(names: tuple[str, str], edit: bool) -> None:
    """Whatever was said before: Current only if settled, Failed only if permanent, never both kinds of condition."""
    first, statement = ((STATEMENTS | SUSPENDED)[name] for name in names)
    before = after(image_source(), first, access=access(dev="view"))
    found = after(edited(before) if edit else before, statement, now=LATER, access=access(dev="view"))
    verdict, conditions = kstatus(found), said(found)
    if is_suspended(statement):
        assert verdict is Verdict.IN_PROGRESS
    elif statement.problem is None:
        assert (verdict, conditions["Ready"][0]) == (Verdict.CURRENT, "True")
    else:
        permanent = statement.problem is not None and statement.problem.permanent
        assert (verdict, conditions["Ready"][0]) == (Verdict.FAILED if permanent else Verdict.IN_PROGRESS, "False")
    assert not {"Reconciling", "Stalled"} <= conditions.keys()
    absent_unless_true = {"Reconciling", "Stalled", "PlatformError", "JobNotAccepted"} & conditions.keys()
    assert all(conditions[kind][0] == "True" for kind in absent_unless_true)
    assert ("JobNotAccepted" in conditions) is (statement.problem is NOT_ACCEPTED)


def test_kstatus_terminating() -> None:
    """A resource that is being deleted is terminating, whatever it says."""
    resource = image_source(deletionTimestamp=DELETED_AT, finalizers=["x"])
    assert {kstatus(after(resource, statement)) for statement in STATEMENTS.values()} == {Verdict.TERMINATING}


@pytest.mark.parametrize("problem", [PASSING, PERMANENT, NOT_ACCEPTED], ids=lambda problem: problem.reason.value)
@pytest.mark.parametrize("before", [None, *STATEMENTS])
def test_unhubbed(problem: Problem, before: str | None) -> None:
    """Without a hub the problem is said, for the generation that it was seen at, and the rest of status stays."""
    resource = after(image_source(), STATEMENTS[before], access=access()) if before else image_source()
    resource = edited(resource)
    found = resource.model_copy(update={"status": describe(resource, None, Statement(problem), LATER)})
    assert said(found)["Ready"] == ("False", problem.reason)
    assert kstatus(found) is (Verdict.FAILED if problem.permanent else Verdict.IN_PROGRESS)
    assert found.status.observed_generation == 2
    kept = {"observed_generation": -1, "conditions": (), "last_handled_reconcile_at": None}
    assert found.status.model_copy(update=kept) == resource.status.model_copy(update=kept)


def test_transition_times() -> None:
    """A transition time changes with its status alone; reason, message and generation may change without."""
    first = after(image_source(), STATEMENTS["passing"])
    second = after(edited(first), Statement(Problem(Reason.RATE_LIMITED, "wait")), now=LATER)
    third = after(second, STATEMENTS["settled"], now=LATER)
    ready = [next(c for c in found.status.conditions if c.type == "Ready") for found in (first, second, third)]
    assert [c.last_transition_time for c in ready] == [NOW, NOW, LATER]
    assert [(c.reason, c.observed_generation) for c in ready] == [("Forbidden", 1), ("RateLimited", 2), ("InSync", 2)]


def test_conditions_keep_their_order() -> None:
    """Ready comes first, and the order does not depend on what was said when."""
    one = after(after(image_source(), STATEMENTS["not accepted"]), STATEMENTS["settled"], access=access())
    two = after(image_source(), STATEMENTS["settled"], access=access())
    assert [c.type for c in one.status.conditions] == [c.type for c in two.status.conditions]
    assert one.status.conditions[0].type == "Ready"


def test_access_condition_goes_with_acl() -> None:
    """An access list that is no longer managed has no condition."""
    managed = after(image_source(), STATEMENTS["settled"], access=access())
    assert "AccessSynced" in said(managed)
    assert "AccessSynced" not in said(after(managed, STATEMENTS["settled"]))


def test_platform_error() -> None:
    """An error of a live source has a condition of its own, leaves Ready alone, and goes with the error."""
    state = {"current": "live", "changed": documents.NOW, "error": {"message": "cannot pull https://u:p@host/x?t=1"}}
    broken = after(image_source(), STATEMENTS["settled"], seen=source(state=state))
    assert (said(broken)["PlatformError"], said(broken)["Ready"]) == (("True", "StateError"), ("True", "InSync"))
    message = next(c.message for c in broken.status.conditions if c.type == "PlatformError")
    assert message.endswith("cannot pull https://…@host/x")
    assert "PlatformError" not in said(after(broken, STATEMENTS["settled"]))


def test_observed_reason() -> None:
    """A source that is only observed is Ready as such, and no field of it is managed."""
    found = after(image_source(), STATEMENTS["settled"], observe_only=True)
    assert said(found)["Ready"] == ("True", "Observed")
    assert found.status.managed is None


def test_long_message_is_cut() -> None:
    """No message is longer than the schema allows."""
    found = after(image_source(), Statement(Problem(Reason.REFUSED, "x" * 10000)))
    assert all(len(condition.message) <= 4096 for condition in found.status.conditions)


def test_describe_keeps_what_is_not_said() -> None:
    """Id, pin, adoption, job and credentials are not touched by a pass that does not speak of them."""
    known = {
        "id": SOURCE_ID,
        "hub": Pin(hub_id="other", url="elsewhere").to_json(),
        "adopted": True,
        "imagesCount": 3,
        "credentials": [{"name": "login", "uid": "u", "resourceVersion": "1"}],
        "job": {"id": JOB_ID, "action": "delete", "state": "running", "summary": "running"},
    }
    status = after(image_source(status=known), STATEMENTS["passing"]).status.to_json()
    assert {key: status[key] for key in known} == known | {"job": status["job"]}


def test_describe_without_source() -> None:
    """Where no source is known, what was shown before stays."""
    first = after(image_source(), STATEMENTS["settled"])
    status = describe(first, wanted(), Statement(PASSING), LATER, Seen(PIN))
    assert (status.state, status.identifier) == ("live", "web")


@pytest.mark.parametrize(
    ("wish", "managed"),
    [
        pytest.param({}, ("name", "origin"), id="fields"),
        pytest.param({"access": UNRESTRICTED}, ("acl", "name", "origin"), id="access"),
        pytest.param({"fields": {}}, (), id="none"),
    ],
)
def test_describe_managed(wish: Json, managed: tuple[str, ...]) -> None:
    """What the operator has set is remembered, so that it can be cleared."""
    assert after(image_source(), STATEMENTS["settled"], **wish).status.managed == managed
    assert after(image_source(), STATEMENTS["passing"], **wish).status.managed is None


def test_describe_reconcile_request() -> None:
    """A request to reconcile now is answered by a pass that says something, whatever it says."""
    resource = image_source(annotations={"images.cycle.io/requestedAt": "now"})
    assert after(resource, SUSPENDED["suspended"]).status.last_handled_reconcile_at == "now"
    assert after(resource, STATEMENTS["passing"]).status.last_handled_reconcile_at == "now"
    assert after(resource, STATEMENTS["settled"]).status.last_handled_reconcile_at == "now"


def test_describe_settled_generation() -> None:
    """The generation that was last in order is kept through trouble."""
    first = after(image_source(), STATEMENTS["settled"])
    second = after(edited(first), STATEMENTS["passing"])
    assert (first.status.settled_generation, second.status.settled_generation) == (1, 1)
    assert after(second, STATEMENTS["settled"]).status.settled_generation == 2


def test_access_refused_is_of_access() -> None:
    """An access list that the Hub does not take is said of access, although it keeps all else from being done."""
    problem = Problem(Reason.ACCESS_REFUSED, "grant less", permanent=True)
    for spec, (named, other) in (
        ({"acl": {"unrestricted": True}}, ("AccessSynced", "Synced")),
        ({}, ("Synced", "AccessSynced")),
    ):
        resource = image_source(spec)
        found = resource.model_copy(update={"status": describe(resource, None, Statement(problem), NOW)})
        assert said(found)[named] == ("False", "AccessRefused")
        assert other not in said(found)


@pytest.mark.parametrize(
    ("changes", "worth"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"updated": NOW}, False, id="updated"),
        pytest.param({"images_count": 5}, False, id="count"),
        pytest.param({"state": "deleting"}, True, id="state"),
        pytest.param({"observed_generation": 2}, True, id="generation"),
        pytest.param({"conditions": ()}, True, id="conditions"),
        pytest.param({"id": None}, True, id="id"),
        pytest.param({"updated": NOW, "identifier": "x"}, True, id="updated and more"),
    ],
)
def test_matters(changes: Json, worth: bool) -> None:
    """What changes by itself every day is not worth a write."""
    condition = Condition(type="Ready", status="True", reason="InSync", last_transition_time=NOW)
    old = ImageSourceStatus(id=SOURCE_ID, state="live", conditions=(condition,), images_count=1)
    assert matters(old, old.model_copy(update=changes)) is worth


@pytest.mark.parametrize("name", STATEMENTS | SUSPENDED)
def test_quiet(name: str) -> None:
    """Saying the same again at another time is not worth a write."""
    statement = (STATEMENTS | SUSPENDED)[name]
    first = after(image_source(), statement)
    assert not matters(first.status, after(first, statement, now=LATER).status)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (STATEMENTS["settled"], "is as the spec says"),
        (STATEMENTS["settled with drift"], "is there and differs in name, which driftPolicy Report leaves so"),
    ],
)
def test_ready_says_what_is_so(statement: Statement, words: str) -> None:
    """That a source is as the spec says is not said of one that differs."""
    ready = after(image_source(), statement).status.condition(ConditionType.READY)
    assert ready and ready.message == f"source {SOURCE_ID} {words}"


def test_observed_and_different() -> None:
    """Of a source that is only observed it is said that this is why it differs."""
    ready = after(image_source(), STATEMENTS["settled with drift"], observe_only=True).status.condition(
        ConditionType.READY
    )
    assert ready and ready.message.endswith("differs in name, which managementPolicy Observe leaves so")


def test_gone() -> None:
    """A source that is gone is shown as deleted, and differs in nothing any more."""
    before = after(image_source(), STATEMENTS["settled with drift"])
    status = describe(before, wanted(), Statement(PERMANENT), LATER, Seen(PIN, gone=True))
    assert (status.state, status.drift, before.status.state) == ("deleted", None, "live")


def test_drift_beside_a_problem() -> None:
    """What differs is shown beside a problem too, field by field, and stays where nothing was compared."""
    first = after(image_source(), Statement(PASSING, drift=(("name", "a", "b"),)))
    then = after(first, Statement(PASSING), now=LATER)
    for found in (first, then):
        assert found.status.drift and [field.path for field in found.status.drift.fields] == ["name"]
    assert after(then, STATEMENTS["settled"]).status.drift is None


def test_pin_is_never_replaced() -> None:
    """A status that has a pin keeps it."""
    old = image_source(status={"hub": {"hubId": "first", "url": "here"}})
    assert after(old, STATEMENTS["settled"]).status.hub == Pin(hub_id="first", url="here")
    assert after(image_source(), STATEMENTS["settled"]).status.hub == PIN


def test_zero_year_is_a_time() -> None:
    """A source that was never updated shows the platform's word without failing."""
    never = {"created": documents.NOW, "updated": documents.NOT_YET, "deleted": documents.NOT_YET}
    assert after(image_source(), STATEMENTS["settled"], seen=source(events=never)).status.updated in (
        None,
        datetime(1, 1, 1, tzinfo=UTC),
    )
