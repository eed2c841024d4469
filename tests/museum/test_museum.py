"""Published bugs of other operators: a naive operator has each of them, and ours has none."""

import re

import pytest
from tests.museum import creating, deleting, keeping
from tests.museum.exhibit import Exhibit
from tests.museum.habits import Habits
from tests.museum.stage import Stage, perform
from tests.support.cluster import ROOT

EXHIBITS = (*creating.EXHIBITS, *deleting.EXHIBITS, *keeping.EXHIBITS)
WITH_HABITS = [exhibit for exhibit in EXHIBITS if exhibit.habits != Habits()]


def played(exhibit: Exhibit, habits: Habits | None) -> Stage:
    """Plays an exhibit with the naive operator with these habits, or (None) with ours."""
    return perform(Stage(habits, exhibit.faults, exhibit.lag), exhibit.story)


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.bug)
def test_naive_operator(exhibit: Exhibit) -> None:
    """An operator with that habit goes wrong as it was published; else the exhibit would show nothing."""
    stage = played(exhibit, exhibit.habits)
    assert exhibit.is_wrong(stage)
    assert stage.script.planned == []


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.bug)
def test_this_operator(exhibit: Exhibit) -> None:
    """In the same scene, with the same faults, ours does not."""
    stage = played(exhibit, None)
    assert not exhibit.is_wrong(stage)
    assert stage.script.planned == []


@pytest.mark.parametrize("exhibit", WITH_HABITS, ids=lambda exhibit: exhibit.bug)
def test_habits_are_the_reason(exhibit: Exhibit) -> None:
    """Without its habit the naive operator does not go wrong there either."""
    assert not exhibit.is_wrong(played(exhibit, Habits()))


def test_habits_are_published() -> None:
    """Each habit makes one of the exhibits: none of them is there without a published bug."""
    shown = {name for exhibit in EXHIBITS for name, has in vars(exhibit.habits).items() if has}
    assert sorted(set(vars(Habits())) - shown) == []


def test_table() -> None:
    """The documentation lists these exhibits and no others, in this order, with what goes wrong."""
    text = (ROOT / "docs" / "never-wrong.md").read_text()
    assert f"{len(EXHIBITS)} bugs" in text
    rows = re.findall(r"^\| \[([^]]+)\]\(([^)]+)\) \| (.+) \|$", text, flags=re.MULTILINE)
    assert rows == [(exhibit.bug, address(exhibit.bug), exhibit.wrong) for exhibit in EXHIBITS]


def address(bug: str) -> str:
    """Returns where a bug was published."""
    repository, _, number = bug.partition("#")
    return f"https://github.com/{repository}/issues/{number}" if number else f"https://github.com/advisories/{bug}"
