"""What is known of a hub's sources: a list never overrules what the platform said since it was begun."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import source, source_id

from imagesources.hubs.inventory import Inventory
from imagesources.platform.models import Source

ONE, TWO, THREE = (source_id(number) for number in (1, 2, 3))


def ids(found: tuple[Source, ...]) -> list[str]:
    """Returns the ids of sources."""
    return [one.id for one in found]


def test_learn_and_forget() -> None:
    """A reply about a source is known at once, and so is its absence."""
    inventory = Inventory()
    inventory.learn(source(id=ONE), 1.0)
    seen = inventory.get(ONE)
    assert seen is not None
    assert (seen.source.id, seen.at, seen.direct) == (ONE, 1.0, True)
    inventory.forget(ONE, 2.0)
    assert (inventory.get(ONE), inventory.with_identifier("web"), ONE in inventory.gone) == (None, (), True)
    inventory.learn(source(id=ONE), 3.0)
    assert (inventory.gone, ids(inventory.with_identifier("web"))) == ({}, [ONE])


def test_get_nothing() -> None:
    """Who has no id has no source."""
    assert Inventory().get(None) is None
    assert Inventory().get("") is None


def test_with_identifier() -> None:
    """The live sources with an identifier are found, the lowest id first, and follow a change of identifier."""
    inventory = Inventory()
    for number in (3, 1, 2):
        inventory.learn(source(id=source_id(number)), 1.0)
    inventory.learn(source(id=source_id(4), state="deleting"), 1.0)
    assert ids(inventory.with_identifier("web")) == [ONE, TWO, THREE]
    inventory.learn(source(id=TWO, identifier="other"), 2.0)
    assert (ids(inventory.with_identifier("web")), ids(inventory.with_identifier("other"))) == ([ONE, THREE], [TWO])
    inventory.learn(source(id=TWO), 3.0)
    assert inventory.with_identifier("other") == ()
    assert "other" not in inventory.carriers


@pytest.mark.parametrize(
    ("listed", "changed"),
    [
        pytest.param([source(id=ONE), source(id=TWO)], set(), id="the same"),
        pytest.param([source(id=ONE), source(id=TWO, name="New")], {TWO}, id="another"),
        pytest.param([source(id=ONE)], {TWO}, id="one less"),
        pytest.param([source(id=number) for number in (ONE, TWO, THREE)], {THREE}, id="one more"),
        pytest.param([], {ONE, TWO}, id="none"),
    ],
)
def test_replace_tells_changes(listed: list[Source], changed: set[str]) -> None:
    """A list tells what is new, different or no longer there."""
    inventory = Inventory()
    assert inventory.replace([source(id=ONE), source(id=TWO)], 1.0) == {ONE, TWO}
    assert inventory.replace(listed, 2.0) == changed
    assert (sorted(inventory.entries), inventory.completed) == ([one.id for one in listed], 2.0)


def test_replace_is_not_direct() -> None:
    """What a list shows was not said of the source alone, even where nothing has changed."""
    inventory = Inventory()
    inventory.learn(source(id=ONE), 1.0)
    assert inventory.replace([source(id=ONE)], 2.0) == set()
    seen = inventory.get(ONE)
    assert seen is not None
    assert (seen.direct, seen.at) == (False, 2.0)


@dataclass
class Naive:
    """The model: of each source, what was said last; a list speaks with the time at which it was begun."""

    said: dict[str, tuple[float, Source | None, bool]] = field(default_factory=dict)

    def say(self, source_id: str, at: float, found: Source | None, *, direct: bool) -> None:
        """Takes in a word about a source, unless a later one is known."""
        known = self.said.get(source_id)
        if known is None or known[0] < at or (direct and known[0] <= at):
            self.said[source_id] = (at, found, direct)


_SOURCES = st.builds(
    source,
    id=st.sampled_from([ONE, TWO, THREE]),
    name=st.sampled_from(["Web", "Shop"]),
    identifier=st.sampled_from(["web", "shop"]),
    state=st.sampled_from(["live", "deleting"]),
)
_LISTS = st.lists(_SOURCES, unique_by=lambda one: one.id, max_size=3)
_EVENTS = st.lists(
    st.tuples(st.just("learn"), _SOURCES)
    | st.tuples(st.just("forget"), st.sampled_from([ONE, TWO, THREE]))
    | st.tuples(st.just("list"), st.tuples(_LISTS, st.integers(0, 5))),
    max_size=12,
)


@given(_EVENTS)
def test_the_last_word_counts(events: list[tuple[str, Any]]) -> None:
    """However replies and lists cross each other, of each source counts what was said last."""
    inventory, naive, free_since = Inventory(), Naive(), -1.0
    for now, (kind, said) in enumerate(events):
        if kind == "learn":
            inventory.learn(said, float(now))
            naive.say(said.id, now, said, direct=True)
        elif kind == "forget":
            inventory.forget(said, float(now))
            naive.say(said, now, None, direct=True)
        else:
            listed, since = said
            begun, free_since = max(free_since, now - since - 0.5), now + 0.25  # lists come one after the other
            inventory.replace(listed, begun)
            shown = {one.id: one for one in listed}
            for known in {*naive.said, *shown}:
                naive.say(known, begun, shown.get(known), direct=False)
        there = {key: (found, direct) for key, (_, found, direct) in naive.said.items() if found}
        assert {key: (seen.source, seen.direct) for key, seen in inventory.entries.items()} == there
        for identifier in ("web", "shop"):
            assert ids(inventory.with_identifier(identifier)) == sorted(
                key
                for key, (found, _) in there.items()
                if found.identifier == identifier and found.state.current == "live"
            )


def test_gone_ends_with_a_later_list() -> None:
    """That a source is gone counts until a list that was begun later has its say."""
    inventory = Inventory()
    inventory.forget(ONE, 2.0)
    inventory.replace([source(id=ONE)], 1.0)
    assert (inventory.get(ONE), ONE in inventory.gone) == (None, True)
    inventory.replace([source(id=ONE)], 3.0)
    assert (inventory.get(ONE) is not None, ONE in inventory.gone) == (True, False)
