"""What a resource asks for, in the API's form, and that the platform's echo of it is no difference."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import MARKER, ORIGIN, image_source, source
from tests.support.documents import SOURCE_ID
from tests.support.origins import ORIGINS, OTHER_ID, REF

from imagesources.platform.identifiers import tokenize
from imagesources.platform.models import Acl, AclEntry
from imagesources.reconcile.desired import desire, secrets_of
from imagesources.reconcile.differences import changes, differences
from imagesources.reconcile.model import Access, FromSecret, Problem, Wanted
from imagesources.reconcile.plan import create_body
from imagesources.resources.conditions import Reason

Json = dict[str, Any]

DELETED = "2026-02-01T00:00:00Z"


def desired(spec: Json | None = None, status: Json | None = None, **metadata: Any) -> Wanted:
    """Tells what a resource wants, on a hub that allows ids, beside an ImageSource ``base`` that has one."""
    found = desire(image_source(spec, status, **metadata), id_of={"base": OTHER_ID}.get, allow_source_ids=True)
    assert isinstance(found, Wanted), found
    return found


@pytest.mark.parametrize("case", ORIGINS)
def test_desire_origin(case: str) -> None:
    """Each origin is written with the API's names, credentials and references in place."""
    details, body = ORIGINS[case]
    kind = case.split(maxsplit=1)[0]
    assert desired({"origin": {"type": kind, "details": details}}).fields == {"origin": {"type": kind, "details": body}}


def test_desire_origin_none() -> None:
    """An origin that is nothing yet has no details."""
    assert desired({"origin": {"type": "none"}}).fields == {"origin": {"type": "none"}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({}, {"origin": ORIGIN}, id="nothing beside the origin"),
        pytest.param({"name": "Web"}, {"origin": ORIGIN, "name": "Web"}, id="name"),
        pytest.param({"identifier": "shop"}, {"origin": ORIGIN, "identifier": "shop"}, id="identifier"),
        pytest.param(
            {"builder": {"integrationId": "farm"}},
            {"origin": ORIGIN, "builder": {"integration_id": "farm"}},
            id="builder",
        ),
        pytest.param({"about": {"description": ""}}, {"origin": ORIGIN, "about": {"description": ""}}, id="about"),
        pytest.param({"acl": {"unrestricted": True}}, {"origin": ORIGIN}, id="access is apart"),
        pytest.param({"suspend": True, "driftPolicy": "Report"}, {"origin": ORIGIN}, id="own fields are not sent"),
    ],
)
def test_desire_fields(spec: Json, fields: Json) -> None:
    """Only what the spec names is managed."""
    assert desired(spec).fields == fields


@pytest.mark.parametrize(
    ("acl", "access"),
    [
        pytest.param(None, None, id="absent: not managed"),
        pytest.param({"unrestricted": True}, Access(None), id="unrestricted: the platform's null"),
        pytest.param({"roles": {}}, Access(Acl(roles={})), id="no roles: nobody"),
        pytest.param(
            {"roles": {"Some_Role.v2": {"view": True, "modify": True, "manage": False}}},
            Access(Acl(roles={"Some_Role.v2": AclEntry(view=True, modify=True, manage=False)})),
            id="role keys as written",
        ),
    ],
)
def test_desire_access(acl: Json | None, access: Access | None) -> None:
    """An access list that is absent, null and empty are three different wishes."""
    assert desired({"acl": acl} if acl else {}).access == access


@pytest.mark.parametrize(
    ("spec", "identifier"),
    [
        pytest.param({"identifier": "As Given", "name": "Web"}, "As Given", id="given"),
        pytest.param({"name": "My Shop 2"}, "my-shop-2", id="the token of the name"),
        pytest.param({}, "web", id="the resource's name"),
        pytest.param({"name": "日本"}, "web", id="a name without a token"),
    ],
)
def test_desire_identifier(spec: Json, identifier: str) -> None:
    """A source gets the identifier given, else a token of its name, else the resource's name."""
    assert desired(spec).identifier == identifier


def test_desire_default_name() -> None:
    """The resource's name is said at create alone and is not managed."""
    found = desired()
    assert (found.defaults, "name" in found.fields) == ({"name": "web"}, False)


@pytest.mark.parametrize(
    ("managed", "spec", "cleared"),
    [
        pytest.param(["builder", "about"], {}, {"builder": None, "about": {"description": None}}, id="both removed"),
        pytest.param(["builder", "about"], {"about": {"description": "x"}}, {"builder": None}, id="one removed"),
        pytest.param(["name", "identifier", "acl", "origin"], {}, {}, id="these just stop being managed"),
        pytest.param([], {}, {}, id="never managed"),
    ],
)
def test_desire_cleared(managed: list[str], spec: Json, cleared: Json) -> None:
    """A field that was managed and is removed is cleared where the API can clear it."""
    assert desired(spec, {"managed": managed}).cleared == cleared


@pytest.mark.parametrize(
    ("spec", "adopted", "orphan"),
    [
        pytest.param({}, None, False, id="own: deleted"),
        pytest.param({}, True, True, id="adopted: left"),
        pytest.param({"adopt": {"id": SOURCE_ID}}, None, False, id="asks to adopt but has not"),
        pytest.param({"deletionPolicy": "Delete"}, True, False, id="spec says Delete"),
        pytest.param({"deletionPolicy": "Orphan"}, None, True, id="spec says Orphan"),
        pytest.param({"deletionPolicy": "Delete", "managementPolicy": "Observe"}, None, True, id="only observed: left"),
    ],
)
def test_desire_deletion_policy(spec: Json, adopted: bool | None, orphan: bool) -> None:
    """What becomes of the source: as the spec says; else an adopted one stays and an own one goes."""
    assert desired(spec, {"adopted": adopted}).orphan is orphan


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        pytest.param({}, (None, None, False), id="none"),
        pytest.param({"adopt": {"id": SOURCE_ID}}, (SOURCE_ID, None, False), id="by id"),
        pytest.param({"adopt": {"identifier": "shop"}}, (None, "shop", False), id="by identifier"),
        pytest.param({"adopt": {"policy": "Never"}}, (None, None, True), id="never"),
    ],
)
def test_desire_adopt(spec: Json, found: tuple[str | None, str | None, bool]) -> None:
    """Each form of adopt is read."""
    wanted = desired(spec)
    assert (wanted.adopt_id, wanted.adopt_identifier, wanted.never_adopt) == found


def test_desire_policies() -> None:
    """The operator's own fields are read, and their defaults are: manage, correct, go on."""
    quiet, loud = desired(), desired({"managementPolicy": "Observe", "driftPolicy": "Report", "suspend": True})
    assert (quiet.observe_only, quiet.correct_drift, quiet.suspended) == (False, True, False)
    assert (loud.observe_only, loud.correct_drift, loud.suspended) == (True, False, True)


def test_desire_observe_without_definition() -> None:
    """Where a source is only observed, type and origin may be absent."""
    resource = image_source({"type": None, "origin": None, "managementPolicy": "Observe", "adopt": {"id": SOURCE_ID}})
    found = desire(resource, id_of=lambda _name: None, allow_source_ids=False)
    assert isinstance(found, Wanted)
    assert (found.type, found.fields) == (None, {})


@pytest.mark.parametrize(
    ("details", "problem"),
    [
        pytest.param(
            {"target": "web", "existing": {"sourceRef": {"name": "missing"}}},
            (Reason.SOURCE_REF_MISSING, "spec.origin.details.existing.sourceRef", False),
            id="a source that is not there yet",
        ),
        pytest.param(
            {"target": "web", "existing": {"sourceId": OTHER_ID}},
            (Reason.SOURCE_ID_NOT_ALLOWED, "spec.origin.details.existing.sourceId", True),
            id="an id where none is allowed",
        ),
    ],
)
def test_desire_problem(details: Json, problem: tuple[Reason, str, bool]) -> None:
    """A reference that cannot be used says which field it is, and whether waiting helps."""
    resource = image_source({"origin": {"type": "docker-hub", "details": details}})
    found = desire(resource, id_of=lambda _name: None, allow_source_ids=False)
    assert isinstance(found, Problem)
    assert (found.reason, found.message.split(": ")[0], found.permanent) == problem


def test_desire_refused_reference() -> None:
    """Why another source must not be named is said with the field that names it."""
    resource = image_source({"origin": {"type": "docker-hub", "details": {"existing": {"sourceRef": {"name": "far"}}}}})
    refused = Problem(Reason.SOURCE_REF_ELSEWHERE, "it is elsewhere", permanent=True)
    found = desire(resource, id_of=lambda _name: refused, allow_source_ids=False)
    assert found == replace(refused, message="spec.origin.details.existing.sourceRef: it is elsewhere")


def test_desire_deleting_resolves_nothing() -> None:
    """A resource that is being deleted needs neither its Secrets nor the sources that its origin names."""
    resource = image_source(
        {
            "origin": {
                "type": "docker-file",
                "details": {"credentials": [{"tokenFrom": REF}], "existing": {"sourceId": OTHER_ID}},
            }
        }
        | {"type": "direct"},
        deletionTimestamp=DELETED,
    )
    found = desire(resource, id_of=lambda _name: None, allow_source_ids=False)
    assert isinstance(found, Wanted)
    assert (found.exists, found.secrets) == (False, frozenset())


def test_secrets_of() -> None:
    """The Secrets of a body are found at any depth, each once."""
    one, two = FromSecret("one", "k", "token", "p"), FromSecret("two", "k", "token", "p")
    assert secrets_of({"a": [{"b": one}, one], "c": {"d": {"e": two}}, "f": "three"}) == {"one", "two"}


@given(st.text())
def test_tokenize(name: str) -> None:
    """A token is of lower-case letters, digits and single inner hyphens, and is its own token."""
    token = tokenize(name)
    assert re.fullmatch(r"|[a-z0-9]+(-[a-z0-9]+)*", token)
    assert tokenize(token) == token


@pytest.mark.parametrize("case", ORIGINS)
@given(data=st.data())
def test_echo_is_no_difference(case: str, data: st.DataObject) -> None:
    """A source that the platform made of our own body does not differ, however it hides the credentials in it."""
    details, _ = ORIGINS[case]
    texts = st.text(max_size=5)
    spec: Json = {"origin": {"type": case.split(maxsplit=1)[0], "details": details}}
    spec |= data.draw(
        st.fixed_dictionaries({}, optional={"name": texts.filter(bool), "identifier": texts.filter(bool)})
    )
    spec |= data.draw(st.fixed_dictionaries({}, optional={"about": st.fixed_dictionaries({"description": texts})}))
    wanted = desired(spec)
    body = create_body(wanted)
    assert body["identifier"] == MARKER
    echo = source(**{**body, "identifier": wanted.identifier, "origin": _echo(body["origin"], data.draw)})
    assert differences(wanted, echo) == ()
    assert changes(wanted, echo, new_secrets=False) == {}


def _echo(value: Any, draw: Any) -> Any:
    """Writes a body as a platform may show it: a credential as it is, masked, null or left out."""
    match value:
        case FromSecret():
            return draw(st.sampled_from(["the value", "********", "", None]))
        case dict():
            shown = {
                key: _echo(part, draw)
                for key, part in value.items()
                if not (isinstance(part, FromSecret) and draw(st.booleans()))
            }
            hidden = [
                key
                for key, part in shown.items()
                if key != "details" and secrets_of(value[key]) and draw(st.booleans())
            ]
            return {key: part for key, part in shown.items() if key not in hidden}
        case list():
            return [_echo(part, draw) for part in value]
    return value
