"""What differs between a wish and the platform, what a PATCH must say of it, and which access list is the wider."""

from itertools import product
from typing import Any

import pytest
from tests.support.builders import ORIGIN, UNRESTRICTED, access, acl, source, wanted

from imagesources.platform.models import Acl, AclEntry
from imagesources.reconcile.differences import access_differs, changes, differences, only_widens
from imagesources.reconcile.model import Access, FromSecret

Json = dict[str, Any]

TOKEN = FromSecret(name="login", key="token", wanted="token", path="spec.origin.details.tokenFrom")
ID, OTHER_ID = "651586fca6078e98982dbd01", "651586fca6078e98982dbd02"


def origin(**details: Any) -> Json:
    """Returns an origin with these details."""
    return {"type": "docker-hub", "details": details}


@pytest.mark.parametrize(
    ("fields", "on_platform", "paths"),
    [
        pytest.param({"name": "Web"}, {"name": "Web"}, [], id="the same"),
        pytest.param({"name": "Web"}, {"name": "Other"}, ["name"], id="a name"),
        pytest.param({}, {"name": "Other", "identifier": "other"}, [], id="not managed"),
        pytest.param({"identifier": "web"}, {"identifier": "Web"}, ["identifier"], id="case counts"),
        pytest.param(
            {"origin": origin(target="a")}, {"origin": origin(target="b")}, ["origin.details.target"], id="a leaf"
        ),
        pytest.param(
            {"origin": origin(target="a")},
            {"origin": origin(target="a", username="x")},
            [],
            id="what the spec does not name is not compared",
        ),
        pytest.param(
            {"origin": origin(target="a")},
            {"origin": {"type": "none"}},
            ["origin.type", "origin.details.target"],
            id="another type of origin",
        ),
        pytest.param({"origin": origin(token=TOKEN)}, {"origin": origin(token="****")}, [], id="a masked credential"),
        pytest.param({"origin": origin(token=TOKEN)}, {"origin": origin()}, [], id="an omitted credential"),
        pytest.param(
            {"origin": origin(auth={"user": "ci", "token": TOKEN})},
            {"origin": origin()},
            [],
            id="an omitted object with a credential in it",
        ),
        pytest.param(
            {"origin": origin(auth={"user": "ci", "token": TOKEN})},
            {"origin": origin(auth={"user": "x"})},
            ["origin.details.auth.user"],
            id="what stands beside a credential is compared",
        ),
        pytest.param(
            {"origin": origin(ref={"type": "tag"})},
            {"origin": origin()},
            ["origin.details.ref.type"],
            id="an omitted object",
        ),
        pytest.param(
            {"origin": origin(ref={"type": "tag"})},
            {"origin": origin(ref="x")},
            ["origin.details.ref.type"],
            id="no object",
        ),
        pytest.param({"origin": origin(target="")}, {"origin": origin()}, [], id="empty is as good as absent"),
        pytest.param(
            {"origin": origin(target="")}, {"origin": origin(target="a")}, ["origin.details.target"], id="not empty"
        ),
        pytest.param(
            {"origin": origin(list=[{"a": 1}, {"a": 2}])},
            {"origin": origin(list=[{"a": 1}, {"a": 3}])},
            ["origin.details.list[1].a"],
            id="in a list",
        ),
        pytest.param(
            {"origin": origin(list=[1, 2])}, {"origin": origin(list=[1])}, ["origin.details.list"], id="a shorter list"
        ),
        pytest.param({"origin": origin(list=[1])}, {"origin": origin()}, ["origin.details.list"], id="no list"),
        pytest.param(
            {"origin": origin(list=[{"t": TOKEN}])}, {"origin": origin()}, [], id="an omitted list of credentials"
        ),
        pytest.param(
            {"origin": origin(list=[{"t": TOKEN}])},
            {"origin": origin(list=[])},
            ["origin.details.list"],
            id="an empty list of credentials",
        ),
        pytest.param(
            {"origin": origin(expires="2035-01-01T00:00:00Z")},
            {"origin": origin(expires="2035-01-01T01:00:00.000+01:00")},
            [],
            id="the same time, written otherwise",
        ),
        pytest.param(
            {"origin": origin(expires="2035-01-01T00:00:00Z")},
            {"origin": origin(expires="2035-01-01T00:00:01Z")},
            ["origin.details.expires"],
            id="another time",
        ),
        pytest.param(
            {"origin": origin(expires="soon")},
            {"origin": origin(expires="later")},
            ["origin.details.expires"],
            id="two that are no times are not the same time",
        ),
        pytest.param({"builder": {"integration_id": ID}}, {"builder": {"integration_id": ID}}, [], id="same builder"),
        pytest.param(
            {"builder": {"integration_id": "farm"}},
            {"builder": {"integration_id": ID}},
            [],
            id="builder: identifier and id",
        ),
        pytest.param(
            {"builder": {"integration_id": ID}},
            {"builder": {"integration_id": "farm"}},
            [],
            id="builder: id and identifier",
        ),
        pytest.param(
            {"builder": {"integration_id": ID}},
            {"builder": {"integration_id": OTHER_ID}},
            ["builder.integration_id"],
            id="builder: another id",
        ),
        pytest.param(
            {"builder": {"integration_id": "farm"}},
            {"builder": {"integration_id": "barn"}},
            ["builder.integration_id"],
            id="builder: another identifier",
        ),
        pytest.param(
            {"builder": {"integration_id": "farm"}}, {"builder": None}, ["builder.integration_id"], id="builder: none"
        ),
        pytest.param(
            {"builder": {"integration_id": "farm"}},
            {"builder": {"integration_id": None}},
            ["builder.integration_id"],
            id="builder: null",
        ),
        pytest.param({"about": {"description": ""}}, {"about": None}, [], id="no description"),
        pytest.param(
            {"about": {"description": "a"}}, {"about": {"description": "b"}}, ["about.description"], id="description"
        ),
    ],
)
def test_differences(fields: Json, on_platform: Json, paths: list[str]) -> None:
    """Leaves that the spec names are compared, credentials never, and two forms of the same are no difference."""
    found = differences(wanted(fields=fields), source(**on_platform))
    assert [path for path, _, _ in found] == paths


def test_differences_values() -> None:
    """A difference says what is wanted and what there is; of lists of other lengths only how long they are."""
    found = differences(
        wanted(fields={"name": "Web", "origin": origin(list=["secret", "x"])}),
        source(name="Shop", origin=origin(list=["secret"])),
    )
    assert found == (("name", "Web", "Shop"), ("origin.details.list", "2 entries", "1 entry"))


@pytest.mark.parametrize(
    ("fields", "on_platform", "new_secrets", "body"),
    [
        pytest.param({"name": "Web", "origin": ORIGIN}, {}, False, {}, id="nothing"),
        pytest.param({"name": "New", "origin": ORIGIN}, {}, False, {"name": "New"}, id="only what differs"),
        pytest.param(
            {"name": "Web", "origin": origin(target="new", token=TOKEN)},
            {},
            False,
            {"origin": origin(target="new", token=TOKEN)},
            id="an origin whole, credentials included",
        ),
        pytest.param({"name": "Web", "origin": ORIGIN}, {}, True, {"origin": ORIGIN}, id="a new secret"),
        pytest.param({"name": "Web"}, {}, True, {}, id="a new secret without an origin"),
        pytest.param(
            {"origin": origin(list=[1])},
            {"origin": origin(list=[])},
            False,
            {"origin": origin(list=[1])},
            id="a list in it",
        ),
    ],
)
def test_changes(fields: Json, on_platform: Json, new_secrets: bool, body: Json) -> None:
    """A PATCH names each differing top-level property as a whole, and nothing else."""
    assert changes(wanted(fields=fields), source(**on_platform), new_secrets=new_secrets) == body


@pytest.mark.parametrize(
    ("cleared", "on_platform", "body"),
    [
        pytest.param({"builder": None}, {"builder": {"integration_id": "farm"}}, {"builder": None}, id="a builder"),
        pytest.param({"builder": None}, {"builder": None}, {}, id="no builder"),
        pytest.param({"builder": None}, {"builder": {"integration_id": None}}, {}, id="a null builder"),
        pytest.param(
            {"about": {"description": None}},
            {"about": {"description": "x"}},
            {"about": {"description": None}},
            id="a description",
        ),
        pytest.param({"about": {"description": None}}, {"about": None}, {}, id="nothing about it"),
        pytest.param({"about": {"description": None}}, {"about": {"description": None}}, {}, id="no description"),
    ],
)
def test_changes_cleared(cleared: Json, on_platform: Json, body: Json) -> None:
    """What is no longer managed is cleared once, and only if it is there."""
    assert changes(wanted(fields={}, cleared=cleared), source(**on_platform), new_secrets=False) == body


@pytest.mark.parametrize(
    ("wish", "there", "differs"),
    [
        pytest.param(None, None, False, id="not managed, unrestricted there"),
        pytest.param(None, acl(dev="view"), False, id="not managed, a list there"),
        pytest.param(UNRESTRICTED, None, False, id="unrestricted, unrestricted"),
        pytest.param(UNRESTRICTED, acl(), True, id="unrestricted, nobody"),
        pytest.param(access(), None, True, id="nobody, unrestricted"),
        pytest.param(access(), acl(), False, id="nobody, nobody"),
        pytest.param(access(dev="view"), acl(dev="view"), False, id="the same list"),
        pytest.param(access(dev="view"), acl(dev="view modify"), True, id="one right more"),
        pytest.param(access(dev="view"), acl(dev="view", ops="view"), True, id="one role more"),
    ],
)
def test_access_differs(wish: Access | None, there: Acl | None, differs: bool) -> None:
    """Null, an empty list and an absent wish are three things."""
    assert access_differs(wish, source(acl=there and there.model_dump())) is differs


def _rights(found: Acl | None) -> set[tuple[str, str]]:
    """The naive model: everything that somebody may do; no list: everything that there is, and that nobody has."""
    if found is None:
        return {*product(("dev", "ops"), ("view", "modify", "manage")), ("anybody", "anything")}
    return {(role, may) for role, entry in found.roles.items() for may, given in entry if given}


_ENTRIES = [None, *(AclEntry(view=v, modify=m, manage=g) for v, m, g in product((False, True), repeat=3))]
_LISTS = [
    Acl(roles={role: entry for role, entry in zip(("dev", "ops"), entries, strict=True) if entry})
    for entries in product(_ENTRIES, repeat=2)
]


def test_only_widens() -> None:
    """Over every pair of small lists: nobody loses anything. As inclusion it is a preorder, and null is its top."""
    rights = [(known, _rights(known)) for known in (None, *_LISTS)]
    wrong = [
        (old, new)
        for (old, had), (new, have) in product(rights, repeat=2)
        if only_widens(old, new) is not (had <= have)
    ]
    assert wrong == []


def test_differences_are_all() -> None:
    """Fields, what is to be cleared, and access are told in one."""
    wish = wanted(fields={"name": "Web"}, cleared={"builder": None, "about": {"description": None}}, access=access())
    there = source(name="Shop", builder={"integration_id": "farm"}, about=None)
    assert differences(wish, there) == (
        ("name", "Web", "Shop"),
        ("builder.integration_id", None, "farm"),
        ("acl", access(), None),
    )
