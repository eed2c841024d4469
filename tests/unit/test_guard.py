"""What a Hub forbids before it is sent: lists that lock the operator out or grant too much, and too much at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import PIN, UNRESTRICTED, access, acl, hub_resource, image_source, source_id

from imagesources.hubs.brake import Brake
from imagesources.reconcile.guard import objection, unadoptable, unlisted, unreferable
from imagesources.reconcile.model import Access
from imagesources.resources.conditions import Reason
from imagesources.resources.hub import Brake as BrakeSpec
from imagesources.resources.hub import BrakeStatus
from imagesources.resources.status import Pin

Json = dict[str, Any]

AT_MOST = {"maximumAcl": {"roles": acl(dev="view", ops="view modify manage").model_dump()["roles"]}}
OPERATOR = {"operatorRole": "ops"}


@pytest.mark.parametrize(
    ("spec", "wish", "words"),
    [
        pytest.param({}, access(), None, id="no rule"),
        pytest.param(OPERATOR | AT_MOST, None, None, id="not managed"),
        pytest.param(OPERATOR, access(ops="view modify manage"), None, id="the operator keeps manage"),
        pytest.param(OPERATOR, UNRESTRICTED, None, id="everybody keeps manage"),
        pytest.param(OPERATOR, access(ops="view modify"), "takes manage from ops", id="the operator loses manage"),
        pytest.param(OPERATOR, access(dev="manage"), "takes manage from ops", id="the operator is not named"),
        pytest.param(OPERATOR, access(), "takes manage from ops", id="nobody"),
        pytest.param(AT_MOST, access(dev="view"), None, id="within the maximum"),
        pytest.param(AT_MOST, access(), None, id="nothing is within"),
        pytest.param(AT_MOST, access(dev="view modify"), "more than maximumAcl", id="a right too many"),
        pytest.param(AT_MOST, access(guest="view"), "more than maximumAcl", id="a role too many"),
        pytest.param(AT_MOST, UNRESTRICTED, "more than maximumAcl", id="no restriction is too much"),
        pytest.param({"maximumAcl": {"unrestricted": True}}, UNRESTRICTED, None, id="no maximum"),
    ],
)
def test_objection(spec: Json, wish: Access | None, words: str | None) -> None:
    """An access list must leave manage to the operator's role, and stay within what the Hub allows."""
    found = objection(wish, hub_resource(**spec).spec)
    assert (found is None) is (words is None)
    if found:
        assert (found.reason, found.permanent) == (Reason.ACCESS_REFUSED, True)
        assert words in found.message


@pytest.mark.parametrize(
    ("spec", "wish", "refused"),
    [
        pytest.param({}, None, False, id="no maximum"),
        pytest.param({"maximumAcl": {"unrestricted": True}}, None, False, id="no maximum, said"),
        pytest.param(AT_MOST, access(), False, id="a list"),
        pytest.param(AT_MOST, None, True, id="none"),
    ],
)
def test_unlisted(spec: Json, wish: Access | None, refused: bool) -> None:
    """Where there is a maximum, a new source needs a list: without one everybody could do everything."""
    found = unlisted(wish, hub_resource(**spec).spec)
    assert (found is not None) is refused
    assert found is None or (found.reason, found.permanent) == (Reason.ACCESS_REFUSED, True)


OBSERVES = {"managementPolicy": "Observe", "adopt": {"id": source_id(1)}}


@pytest.mark.parametrize(
    ("other", "hub", "reason"),
    [
        pytest.param(({}, PIN), {}, None, id="of the same hub"),
        pytest.param((OBSERVES, PIN), {}, Reason.SOURCE_ID_NOT_ALLOWED, id="only observed"),
        pytest.param((OBSERVES, PIN), {"allowSourceIds": True}, None, id="only observed, where ids are allowed"),
        pytest.param(
            ({}, PIN.model_copy(update={"hub_id": source_id(9)})), {}, Reason.SOURCE_REF_ELSEWHERE, id="of another hub"
        ),
        pytest.param(({}, None), {}, Reason.SOURCE_REF_ELSEWHERE, id="of no hub that is known"),
    ],
)
def test_unreferable(other: tuple[Json, Pin | None], hub: Json, reason: Reason | None) -> None:
    """An origin may name a source that another resource of the same hub manages, and lends nothing else."""
    spec, pin = other
    resource = image_source(spec, {"id": source_id(1)} | ({"hub": pin.to_json()} if pin else {}))
    found = unreferable(resource, hub_resource(**hub).spec, PIN)
    assert (found.reason if found else None) is reason


@pytest.mark.parametrize(("spec", "refused"), [({}, False), ({"allowAdoption": False}, True)])
def test_unadoptable(spec: Json, refused: bool) -> None:
    """A Hub's owner can keep existing sources from being taken over."""
    found = unadoptable(hub_resource(**spec).spec)
    assert (found is not None) is refused
    assert found is None or (found.reason, found.permanent) == (Reason.ADOPTION_NOT_ALLOWED, True)


def brake(minimum: int = 2, percent: int = 50, window: str = "10s") -> Brake:
    """Returns a brake that lets two sources through, or half of all."""
    return Brake(BrakeSpec(minimum=minimum, percent=percent, window=window))


@pytest.mark.parametrize(
    ("touched", "total", "allowed"),
    [
        pytest.param([("a", 0), ("b", 0), ("c", 0)], 4, [True, True, False], id="one too many"),
        pytest.param([("a", 0), ("b", 0), ("a", 1), ("b", 2)], 4, [True] * 4, id="a source counts once"),
        pytest.param([("a", 0), ("b", 5), ("c", 11)], 4, [True] * 3, id="the window moves on"),
        pytest.param([("a", 0), ("b", 1), ("a", 9), ("c", 10.5)], 4, [True] * 3 + [False], id="touched again is later"),
        pytest.param([(str(n), 0) for n in range(6)], 10, [True] * 5 + [False], id="a share of all"),
        pytest.param([("a", 0), ("b", 0), ("c", 0), ("a", 99)], 4, [True, True, False, False], id="it stays engaged"),
    ],
)
def test_brake(touched: list[tuple[str, float]], total: int, allowed: list[bool]) -> None:
    """Up to a share of the sources may be touched within the window; one more stops everything."""
    one = brake()
    assert [one.allows(source, total, now) for source, now in touched] == allowed
    assert (one.status() is None) is all(allowed)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=20))
def test_brake_bound(steps: list[tuple[str, int]]) -> None:
    """In no window are more sources touched than the brake lets through."""
    one, now, touched = brake(), 0.0, list[tuple[str, float]]()
    for source, pause in steps:
        now += pause
        if one.allows(source, 4, now):
            touched.append((source, now))
    for _, begun in touched:
        assert len({source for source, at in touched if begun <= at < begun + 10}) <= 2


def test_brake_release() -> None:
    """Only the token releases the brake: what it had stopped goes on, counting begins anew, and so does the token."""
    one = brake(minimum=1, percent=1)
    assert [one.allows(source, 1, 0.0) for source in "abc"] == [True, False, False]
    first = one.token
    one.restore(None, "wrong")
    assert not one.allows("b", 1, 0.0)
    one.restore(None, first)
    assert one.status() is None
    assert [one.allows(source, 1, 1.0) for source in "bcbde"] == [True, True, True, True, False]
    assert one.token not in (None, first)


@pytest.mark.parametrize(
    ("status", "release", "engaged"),
    [
        pytest.param(None, None, False, id="none"),
        pytest.param(BrakeStatus(engaged=True, token="t", message="m"), None, True, id="engaged by an earlier process"),
        pytest.param(BrakeStatus(engaged=True, token="t", message="m"), "t", False, id="and released"),
        pytest.param(BrakeStatus(engaged=True, token="t", message="m"), "s", True, id="and not by this token"),
        pytest.param(BrakeStatus(engaged=False, token="t"), None, False, id="not engaged"),
    ],
)
def test_brake_restore(status: BrakeStatus | None, release: str | None, engaged: bool) -> None:
    """An engaged brake survives a restart, as the Hub's status says."""
    one = brake()
    one.restore(status, release)
    assert one.allows("a", 100, 0.0) is not engaged
    assert (one.status() == status) is (engaged or status is None)


def test_brake_says_what_to_do() -> None:
    """The message tells how many it would have been, and how to go on."""
    one = brake()
    for source in "abc":
        one.allows(source, 4, 0.0)
    said = one.status()
    assert said is not None
    assert "2 of 4" in (said.message or "")
    assert f"spec.releaseBrake of the Hub to {said.token}" in (said.message or "")
