"""What must hold whatever is the case, over all that can occur together; and that every beginning comes to rest."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import MARKER, UNRESTRICTED, access, acl, doubt, observed, record, source, wanted
from tests.support.documents import JOB_ID, SOURCE_ID
from tests.support.plans import (
    CARRIER,
    DELETING_SOURCE,
    DYING,
    HIGH,
    IN_DOUBT,
    LOW,
    NEW_NAME,
    NO_ID,
    NO_INTENT,
    OTHER,
    RIVAL,
)

from imagesources.platform.models import Acl, Source
from imagesources.reconcile.differences import access_differs, differences, only_widens
from imagesources.reconcile.model import (
    Create,
    Delete,
    Doubt,
    FindMarker,
    FinishCreate,
    ForgetId,
    Intend,
    Look,
    Observed,
    Record,
    Release,
    RemoveExtra,
    Rest,
    SaveId,
    Step,
    Update,
    UpdateAccess,
    Wanted,
)
from imagesources.reconcile.plan import create_body, plan

Json = dict[str, Any]

OTHER_CARRIER = source(id="e" * 24, identifier=MARKER)

PLATFORM_WRITES = Create | FinishCreate | Update | UpdateAccess | RemoveExtra | Delete


@dataclass(frozen=True)
class Outcome:
    """What a plan was made of, and the plan."""

    wish: Wanted
    known: Record
    found: Observed
    open_doubt: Doubt
    step: Step


def _all(build: Callable[..., Any], **choices: Iterable[Any]) -> list[Any]:
    return [build(**dict(zip(choices, picked, strict=True))) for picked in product(*choices.values())]


_BOTH = (False, True)
_KEEPS = [
    *_all(wanted, suspended=_BOTH, correct_drift=_BOTH, access=(None, access(dev="view"))),
    *_all(wanted, suspended=_BOTH, fields=(NEW_NAME,), cleared=({"builder": None},)),
    *_all(wanted, suspended=_BOTH, observe_only=(True,), adopt_id=(SOURCE_ID,), fields=(NEW_NAME,)),
]
_ADOPTS = [
    *_all(wanted, suspended=_BOTH, adopt_id=(HIGH,), observe_only=_BOTH),
    *_all(wanted, suspended=_BOTH, never_adopt=(True,)),
]
_ENDS = _all(wanted, suspended=_BOTH, observe_only=_BOTH, orphan=_BOTH, exists=(False,))

_WITHOUT_ID = [
    record(**NO_ID),
    record(**NO_ID | {"intent": False}),
    record(**NO_INTENT),
]
_WITH_ID = [
    *_all(record, settled_generation=(0, 1)),
    record(adopted=True),
    record(intent=False),
    record(saved=False, settled_generation=-1),
]
_FARM = {"builder": {"integration_id": "farm"}}
_SEEN: list[Json] = [
    {"source": None, "gone": False},
    {"source": None, "gone": True},
    {"source": source(**_FARM)},
    {"source": source(**_FARM), "direct": True},
    {"source": source(acl=acl(dev="view modify").model_dump(), name="Old"), "direct": True},
    {"source": source(acl=acl().model_dump(), name="Old"), "direct": True},
    {"source": source(identifier=MARKER)},
    {"source": source(identifier=MARKER), "direct": True},
    {"source": source(type="bucket"), "direct": True},
    {"source": DELETING_SOURCE, "direct": True},
]
_EXTRAS: list[Json] = [{}, {"carriers": (CARRIER, OTHER_CARRIER)}, {"dying": (DYING,)}]
_SECRETS = (frozenset(), frozenset({"login"}))
_ROUND = [extra | more for extra in _EXTRAS for more in _all(dict, claimant=(None, OTHER), new_secrets=_SECRETS)]
_WORK: list[Json] = [{}, {"unconverged": 3}, {"corrections": 3}, {"look_asked": True}, {"secrets_unknown": True}]
_ENDING: list[Json] = [{}, {"job_id": JOB_ID}, {"look_due": True}, {"asked": frozenset({SOURCE_ID})}]
_ADOPTABLE: list[Json] = [
    {"adoptable": found, "rivals": rivals} for found in (None, (), (source(id=HIGH),)) for rivals in ((), (RIVAL,))
]
_DOUBTS = [
    doubt(),
    doubt(**IN_DOUBT),
    doubt(**IN_DOUBT | {"settled_in": 3.0, "over_in": 30.0}),
    doubt(clear=False, absences=2),
]
_NONE: list[Json] = [{"source": None}]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Plans for all of it; without an id no source was found by it, and with one doubt matters at the end alone."""
    parts = (
        (_KEEPS, _WITH_ID, _SEEN, _WORK, _DOUBTS[:1]),
        (_ENDS, _WITH_ID, _SEEN, _ENDING, _DOUBTS),
        (_KEEPS + _ADOPTS, _WITHOUT_ID, _NONE, _ADOPTABLE, _DOUBTS),
        (_ENDS, _WITHOUT_ID, _NONE, _ENDING, _DOUBTS),
    )
    return [
        Outcome(wish, known, found, open_doubt, plan(wish, known, found, open_doubt))
        for wishes, records, seen, work, doubts in parts
        for found in (observed(**one | around | more) for one, around, more in product(seen, _ROUND, work))
        for wish, known, open_doubt in product(wishes, records, doubts)
    ]


def _first(outcomes: list[Outcome], wrong: Callable[[Outcome], bool]) -> Outcome | None:
    """Finds the first outcome that must not be."""
    return next((outcome for outcome in outcomes if wrong(outcome)), None)


def _resolved(outcome: Outcome) -> bool:
    return outcome.open_doubt.clear or outcome.open_doubt.absences >= 2


def test_all_steps_occur(outcomes: list[Outcome]) -> None:
    """What follows speaks of every kind of step."""
    assert {type(outcome.step) for outcome in outcomes} == set(get_args(Step))


def test_never_a_second_create(outcomes: list[Outcome]) -> None:
    """Nothing is created where a source may be: one that is known, that carries our marker, or that may yet show."""

    def wrong(o: Outcome) -> bool:
        return isinstance(o.step, Create) and bool(
            o.known.id or o.found.carriers or not o.known.intent or not _resolved(o) or not o.wish.exists
        )

    assert _first(outcomes, wrong) is None


def test_never_a_write_when_suspended(outcomes: list[Outcome]) -> None:
    """While spec.suspend is true the platform is asked to show things and nothing else."""
    assert _first(outcomes, lambda o: o.wish.suspended and isinstance(o.step, PLATFORM_WRITES)) is None


def test_never_a_write_when_only_observed(outcomes: list[Outcome]) -> None:
    """Under managementPolicy Observe nothing is written to the platform, not even at the end."""
    assert _first(outcomes, lambda o: o.wish.observe_only and isinstance(o.step, PLATFORM_WRITES)) is None


def test_never_let_go_too_early(outcomes: list[Outcome]) -> None:
    """The finalizer goes only when nothing of ours can be left, or when it is to be left."""

    def wrong(o: Outcome) -> bool:
        left = (o.known.id and not o.found.gone) or o.found.carriers or o.found.dying or not _resolved(o)
        begun = o.known.id or o.known.intent
        return isinstance(o.step, Release) and bool(begun and left) and not (o.wish.orphan or o.wish.observe_only)

    assert _first(outcomes, wrong) is None


def test_never_changes_what_another_claims(outcomes: list[Outcome]) -> None:
    """A source that another resource claims is not changed; only strays with our own marker are removed."""

    def wrong(o: Outcome) -> bool:
        return bool(o.found.claimant) and isinstance(o.step, FinishCreate | Update | UpdateAccess | Delete)

    assert _first(outcomes, wrong) is None


def test_names_only_what_is_ours(outcomes: list[Outcome]) -> None:
    """Every write names the source with the saved id, or another that carries our marker."""

    def wrong(o: Outcome) -> bool:
        match o.step:
            case Update(id=named) | UpdateAccess(id=named) | FinishCreate(id=named) | Delete(id=named):
                return named != o.known.id
            case RemoveExtra(id=named):
                return named == o.known.id or named not in {
                    carrier.id for carrier in (*o.found.carriers, *o.found.dying)
                }
        return False

    assert _first(outcomes, wrong) is None


def test_content_waits_for_narrower_access(outcomes: list[Outcome]) -> None:
    """Content is written only onto an access list that is no wider than the wished one."""

    def wrong(o: Outcome) -> bool:
        left_so = not o.wish.correct_drift and o.known.settled_generation == o.wish.generation
        if left_so or not (isinstance(o.step, Update) and o.wish.access and o.found.source):
            return False
        return not only_widens(o.found.source.acl, o.wish.access.acl)

    assert _first(outcomes, wrong) is None


def test_every_write_says_something(outcomes: list[Outcome]) -> None:
    """A PATCH is never empty, and an access list is written only if it differs."""

    def wrong(o: Outcome) -> bool:
        match o.step:
            case Update(changes=said):
                return not said
            case UpdateAccess(access=said):
                return o.found.source is None or not access_differs(said, o.found.source)
        return False

    assert _first(outcomes, wrong) is None


def test_report_is_kept(outcomes: list[Outcome]) -> None:
    """Under Report, once a generation was in order, nothing but a new Secret's values is ever written."""

    def wrong(o: Outcome) -> bool:
        if o.wish.correct_drift or o.known.settled_generation != o.wish.generation:
            return False
        return isinstance(o.step, UpdateAccess) or (isinstance(o.step, Update) and o.step.changes.keys() != {"origin"})

    assert _first(outcomes, wrong) is None


def test_drift_is_confirmed(outcomes: list[Outcome]) -> None:
    """What a list says about a settled source is corrected only after the platform was asked about that source."""

    def wrong(o: Outcome) -> bool:
        settled = o.known.settled_generation == o.wish.generation and not o.found.new_secrets
        return settled and isinstance(o.step, Update | UpdateAccess) and not o.found.direct

    assert _first(outcomes, wrong) is None


def test_rest_is_earned(outcomes: list[Outcome]) -> None:
    """Rest means that the source was seen, is not gone, and is as wished or its differences are named."""

    def wrong(o: Outcome) -> bool:
        if not isinstance(o.step, Rest) or not o.wish.exists:
            return False
        source = o.found.source
        if source is None or o.found.gone or not o.known.id:
            return True
        return {path for path, _, _ in o.step.drift} != {
            *(path for path, _, _ in differences(o.wish, source)),
            *(["acl"] if access_differs(o.wish.access, source) else []),
        }

    assert _first(outcomes, wrong) is None


# A world without faults: whatever it begins with, it comes to rest, and by that what is wanted is there.


@dataclass
class Simulated:
    """A resource and a platform that does what it is told."""

    wish: Wanted
    known: Record
    sources: dict[str, Source]
    gone: set[str] = field(default_factory=set)
    direct: bool = False
    absences: int = 0
    clear: bool = True
    new_secrets: bool = False
    released: bool = False
    seen_acls: list[Acl | None] = field(default_factory=list)

    def observe(self) -> Observed:
        """Looks."""
        kept = self.sources.get(self.known.id or "")
        return observed(
            source=kept,
            direct=self.direct,
            gone=self.known.id in self.gone,
            carriers=tuple(s for _, s in sorted(self.sources.items()) if s.identifier == MARKER),
            new_secrets=frozenset({"login"} if self.new_secrets else ()),
        )

    def do(self, step: Step) -> None:
        """Does a step."""
        match step:
            case Intend():
                self.known = replace(self.known, intent=True, finalizer=True)
            case FindMarker():
                self.absences += 1
            case Create(body=body):
                self.sources["a" * 24] = source(id="a" * 24, **body)
            case SaveId(source=found):
                self.known = replace(self.known, id=found.id, saved=True)
            case ForgetId():
                self.known = replace(self.known, id=None, settled_generation=-1)
            case Look(id=named):
                self.direct = True
                self.gone |= {named} - self.sources.keys()
            case FinishCreate(id=named, identifier=identifier):
                self._patch(named, {"identifier": identifier})
            case Update(id=named, changes=said):
                self._patch(named, said)
                self.new_secrets = False
            case UpdateAccess(id=named, access=said):
                self._patch(named, {"acl": said.acl and said.acl.model_dump()})
            case Delete(id=named) | RemoveExtra(id=named):
                del self.sources[named]
                self.gone.add(named)
            case Release():
                self.released = True

    def _patch(self, named: str, said: Json) -> None:
        changed = {**self.sources[named].model_dump(mode="json"), **said}
        self.sources[named] = Source.model_validate(changed)


_ACCESSES = st.sampled_from([None, UNRESTRICTED, access(), access(dev="view"), access(dev="view modify", ops="view")])
_ACLS = st.sampled_from([None, acl(), acl(dev="view"), acl(dev="view modify"), acl(ops="manage")])


@st.composite
def beginnings(draw: st.DrawFn) -> Simulated:
    """Draws a resource of any age, in front of a platform in any state that faults may have left."""
    ids = draw(st.lists(st.sampled_from([SOURCE_ID, LOW, HIGH]), unique=True, max_size=3))
    sources = {}
    for one in ids:
        identifier = "web" if one == SOURCE_ID and draw(st.booleans()) else MARKER
        rights = draw(_ACLS)
        sources[one] = source(id=one, identifier=identifier, name="Old", acl=rights and rights.model_dump())
    known = record(
        id=draw(st.sampled_from([None, SOURCE_ID])),
        intent=True,
        settled_generation=draw(st.sampled_from([-1, 0, 1])),
    )
    if known.id is None and SOURCE_ID in sources:
        sources[SOURCE_ID] = sources[SOURCE_ID].model_copy(update={"identifier": MARKER})
    if known.id is None and draw(st.booleans()):
        known = replace(known, intent=False, finalizer=False)
    wish = draw(st.builds(wanted, exists=st.booleans(), fields=st.just(NEW_NAME), access=_ACCESSES))
    return Simulated(wish, known, sources, clear=draw(st.booleans()), new_secrets=draw(st.booleans()))


@given(beginnings())
def test_comes_to_rest(world: Simulated) -> None:
    """Without faults every beginning ends soon: with one source as wanted, or with none and the finalizer off."""
    for _ in range(14):
        open_doubt = doubt(clear=world.clear, absences=world.absences)
        step = plan(world.wish, world.known, world.observe(), open_doubt)
        if isinstance(step, Rest) or world.released:
            break
        world.do(step)
    else:
        pytest.fail(f"no rest; the last step was {step}")
    if world.wish.exists:
        (only,) = world.sources.values()
        assert (only.id, only.identifier, only.name) == (world.known.id, "web", "New")
        assert not access_differs(world.wish.access, only)
    elif world.released:
        assert world.sources == {}


def test_create_body_is_independent() -> None:
    """The body of a POST shares nothing that a caller could change with the wish."""
    wish = wanted()
    create_body(wish)["name"] = "changed"
    assert wish.fields["name"] == "Web"
