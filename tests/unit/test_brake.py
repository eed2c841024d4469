"""The brake: how many sources may be touched within a while, and what a release lets go on."""

import pytest

from imagesources.hubs.brake import Brake
from imagesources.resources.hub import Brake as BrakeSpec
from imagesources.resources.hub import BrakeStatus

WINDOW = 600.0


def brake(minimum: int = 2, percent: int = 30) -> Brake:
    """Returns a brake with a window of ten minutes."""
    return Brake(BrakeSpec(minimum=minimum, percent=percent, window="10m"))


def touch(found: Brake, names: str, *, total: int = 10, now: float = 0.0) -> str:
    """Touches sources of one letter each, and returns those that may be."""
    return "".join(name for name in names if found.allows(name, total, now))


def released(found: Brake) -> Brake:
    """Releases a brake by its token."""
    assert found.token
    found.restore(found.status(), found.token)
    return found


@pytest.mark.parametrize(
    ("minimum", "percent", "total", "allowed"),
    [(2, 30, 3, "ab"), (2, 30, 10, "abc"), (2, 30, 13, "abc"), (2, 100, 5, "abcde"), (1, 1, 5, "a")],
)
def test_most(minimum: int, percent: int, total: int, allowed: str) -> None:
    """The minimum and the share are both allowed, whichever is more; the one after that engages the brake."""
    found = brake(minimum, percent)
    assert touch(found, "abcdefgh", total=total) == allowed
    assert found.token
    assert f"more than {len(allowed)} of {total} sources" in (found.message or "")


def test_one_source_counts_once() -> None:
    """A source that is touched again and again is one source."""
    assert touch(brake(2), "aaaabbbbab", total=2) == "aaaabbbbab"


def test_window() -> None:
    """What was touched longer ago than the window does not count any more."""
    found = brake()
    assert touch(found, "abc") == "abc"
    assert touch(found, "def", now=WINDOW) == "def"
    assert touch(found, "g", now=WINDOW) == ""


def test_engaged() -> None:
    """While it is engaged nothing may be touched, not even what had been, however long it lasts."""
    found = brake()
    touch(found, "abcd")
    assert touch(found, "abcde", now=10 * WINDOW) == ""


def test_release() -> None:
    """A release lets go on what was stopped, as often as it takes; others count anew."""
    found = brake()
    touch(found, "abcdefg")
    released(found)
    assert found.status() is None
    assert touch(found, "defgdefg", now=1) == "defgdefg"
    assert touch(found, "hijk", now=2) == "hij"


def test_release_ends() -> None:
    """What was let go on counts again once the window has passed."""
    found = released(brake_engaged())
    assert touch(found, "defg", now=1) == "defg"
    assert touch(found, "defg", now=2 + WINDOW) == "def"


def test_wrong_token() -> None:
    """Nothing but its own token releases it, and each time it is another."""
    found = brake_engaged()
    first = found.token
    for token in (None, "", "guessed"):
        found.restore(found.status(), token)
        assert found.token == first
    released(found)
    touch(found, "hijklmn", now=1)
    assert found.token not in (None, first)
    found.restore(found.status(), first)
    assert found.token != first


def test_restart() -> None:
    """Another process takes up what the Hub's status says, and its release."""
    before = brake_engaged()
    status = before.status()
    assert status == BrakeStatus(engaged=True, token=before.token, message=before.message)
    after = brake()
    after.restore(status, None)
    assert (after.token, touch(after, "de")) == (before.token, "")
    assert touch(released(after), "de") == "de"


def test_another_connection() -> None:
    """A new connection to the same hub goes on with what was counted and stopped."""
    counted = brake()
    touch(counted, "abc")
    after = brake()
    after.take_over(counted)
    assert touch(after, "d") == ""
    inheriting = brake()
    inheriting.inherit(3, 0.0, 0.0)
    heir = brake()
    heir.take_over(inheriting)
    assert touch(heir, "d") == ""
    stopped = brake()
    stopped.take_over(after)
    assert touch(released(stopped), "d") == "d"


def noting(found: Brake, names: str, *, total: int, now: float = 0.0) -> list[int]:
    """Touches sources, notes what is to be noted before each, and returns those notes."""
    notes = []
    for name in names:
        assert found.allows(name, total, now)
        if (count := found.to_note(now)) is not None:
            found.noted = (count, now)
            notes.append(count)
    return notes


@pytest.mark.parametrize(
    ("total", "notes"), [(10, [1, 2, 3]), (40, [2, 4, 6, 8, 10, 12]), (100, [4, 8, 12, 16, 20, 24, 28, 30])]
)
def test_notes(total: int, notes: list[int]) -> None:
    """What is noted is never less than what is touched, and of many sources not each is noted by itself."""
    found = brake()
    names = "abcdefghijklmnopqrstuvwxyzABCD"[: total * 3 // 10]
    assert noting(found, names, total=total) == notes
    assert found.to_note(0.0) is None


def test_notes_grow_old() -> None:
    """A note that is as old as the window is written again, though it says enough."""
    found = brake()
    assert noting(found, "abcd", total=40) == [2, 4]
    assert noting(found, "ef", total=40, now=WINDOW - 1) == [6]
    assert noting(found, "e", total=40, now=WINDOW) == []
    assert noting(found, "e", total=40, now=2 * WINDOW - 1) == [2]


def test_nothing_to_note() -> None:
    """What a release lets go on is not counted, and so not noted."""
    found = released(brake_engaged())
    assert touch(found, "defg", now=1) == "defg"
    assert found.to_note(1.0) is None


@pytest.mark.parametrize(("age", "left"), [(0, "cd"), (2 * WINDOW - 1, "cd"), (2 * WINDOW, "cdef")])
def test_inherited(age: float, left: str) -> None:
    """A restarted process allows what is left of what was noted, as long as any of that may be within the window."""
    found = brake(minimum=4)
    found.inherit(2, age, 1000.0)
    assert touch(found, "cdefghi", now=1000.0) == left
    assert found.token


def test_inherited_ends() -> None:
    """What was inherited does not count for ever, and a release ends it at once."""
    found = brake(minimum=3)
    found.inherit(3, 0.0, 0.0)
    assert touch(found, "abc", now=2 * WINDOW) == "abc"
    again = brake(minimum=3)
    again.inherit(3, 0.0, 0.0)
    assert touch(again, "a") == ""
    assert touch(released(again), "abcd", now=1) == "abcd"


def brake_engaged() -> Brake:
    """Returns a brake that has stopped d to g."""
    found = brake()
    touch(found, "abcdefg")
    return found
