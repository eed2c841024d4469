"""The brake: how many sources may be touched within a while, and what a release lets go on."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from tests.support.builders import NOW

from imagesources.hubs.brake import Brake, Note
from imagesources.kube.hub_status import counted_of, note_of
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
    inheriting.inherit(Note(others=3, at=0.0))
    heir = brake()
    heir.take_over(inheriting)
    assert touch(heir, "d") == ""
    stopped = brake()
    stopped.take_over(after)
    assert touch(released(stopped), "d") == "d"


NAMES = [chr(ord("A") + number) for number in range(60)]


def noting(found: Brake, names: Iterable[str], *, total: int, now: float = 0.0) -> list[int]:
    """Touches sources, notes what is to be noted before each, and returns how many each note speaks of."""
    notes = []
    for name in names:
        assert found.allows(name, total, now)
        if note := found.to_note(now):
            found.noted = note
            notes.append(len(note.touched) + note.others)
        assert len(found.noted.touched) + found.noted.others >= len(found.touched)
    return notes


@pytest.mark.parametrize(
    ("total", "notes"),
    [
        (10, [1, 2, 3]),
        (60, list(range(1, 19))),
        (80, [*range(1, 21), 23, 24]),
        (200, [*range(1, 21), 27, 34, 41, 48, 55, 60]),
    ],
)
def test_notes(total: int, notes: list[int]) -> None:
    """Each of few sources is noted by its id; of many the rest is a number, and never are fewer noted than touched."""
    found = brake()
    assert noting(found, NAMES[: total * 3 // 10], total=total) == notes
    assert found.to_note(0.0) is None


def test_notes_of_the_newest() -> None:
    """Those that are noted by id are the ones that count longest."""
    found = brake()
    noting(found, NAMES[:25], total=1000)
    noting(found, [NAMES[0]], total=1000, now=1.0)
    note = found.to_note(WINDOW)
    assert note
    assert list(note.touched)[:2] == [NAMES[0], NAMES[24]]
    assert (len(note.touched), note.others) == (20, 5 + 30)


def test_touched_again() -> None:
    """A source that is touched again counts from then on, and so it is noted again."""
    found = brake()
    assert noting(found, "aa", total=10) == [1]
    assert noting(found, "a", total=10, now=1.0) == [1]
    assert found.noted.touched == {"a": 1.0}


def test_notes_grow_old() -> None:
    """A number that is as old as the window is written again, though it says enough; a name is not."""
    found = brake()
    noting(found, NAMES[:23], total=200)
    assert (len(found.noted.touched), found.noted.others) == (20, 7)
    assert found.to_note(WINDOW - 1) is None
    assert found.to_note(WINDOW)
    named = brake()
    noting(named, "a", total=10)
    assert named.to_note(WINDOW) is None


def test_nothing_to_note() -> None:
    """What a release lets go on is not counted, and so not noted."""
    found = released(brake_engaged())
    assert touch(found, "defg", now=1) == "defg"
    assert found.to_note(1.0) is None


@pytest.mark.parametrize(("age", "left"), [(0, "cd"), (2 * WINDOW - 1, "cd"), (2 * WINDOW, "cdef")])
def test_inherited_number(age: float, left: str) -> None:
    """A restarted process allows what is left of a number, as long as any of it may be within the window."""
    found = brake(minimum=4)
    found.inherit(Note(others=2, at=1000.0 - age))
    assert touch(found, "cdefghi", now=1000.0) == left
    assert found.token


@pytest.mark.parametrize(
    ("now", "left"), [(WINDOW - 1, "abab"), (WINDOW, "abac"), (WINDOW + 9, "abac"), (WINDOW + 10, "abacd")]
)
def test_inherited_names(now: float, left: str) -> None:
    """A source that an earlier process has touched is the same one here, and counts as long as it did there."""
    found = brake(minimum=4)
    found.inherit(Note({"b": 10.0, "a": 5.0, "x": 10.0, "y": 0.0}, at=10.0))
    assert touch(found, left, now=now) == left
    assert touch(found, "z", now=now) == ""


def test_one_source_and_many_processes() -> None:
    """However many processes touch the same source, it is one; each has what the one before it has noted."""
    note = Note()
    for number in range(30):
        found = brake()
        found.inherit(note)
        assert noting(found, "ab", total=4, now=10.0 * number)
        note = found.noted
    assert (note.touched.keys(), note.others) == ({"a", "b"}, 0)


def test_inherited_ends() -> None:
    """What was inherited does not count for ever, and a release ends it at once."""
    found = brake(minimum=3)
    found.inherit(Note(others=3, at=0.0))
    assert touch(found, "abc", now=2 * WINDOW) == "abc"
    again = brake(minimum=3)
    again.inherit(Note({"x": 0.0}, others=2, at=0.0))
    assert touch(again, "a") == ""
    assert touch(released(again), "abcd", now=1) == "abcd"


def test_written_and_read() -> None:
    """What one process writes another reads as its own, to the second, whatever its clock began with."""
    note = Note({"a": 100.4, "b": 95.0}, others=3, at=100.6)
    counted = counted_of(note, "token", NOW)
    assert (counted.release, counted.sources[1].at) == ("token", NOW + timedelta(seconds=95))
    assert note_of(counted, NOW + timedelta(seconds=90)) == Note({"a": 10.0, "b": 5.0}, others=3, at=11.0)


def brake_engaged() -> Brake:
    """Returns a brake that has stopped d to g."""
    found = brake()
    touch(found, "abcdefg")
    return found


@pytest.mark.parametrize(
    ("left", "vanish", "allowed"),
    [(2, "abcde", "abc"), (46, "abcdef", "abcde"), (1000, "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrst")],
)
def test_vanished(left: int, vanish: str, allowed: str) -> None:
    """Three sources may vanish, or a tenth of them, at most twenty; then writes stop, until a person says go on."""
    found = brake(minimum=100)
    total, gone = left + len(vanish), ""
    for name in vanish:
        total -= 1
        gone += name if found.allows_to_forget(name, total, 0.0) else ""
    assert gone == allowed
    assert f"more than {len(allowed)} sources that have vanished" in (found.message or "")
    assert not found.allows("another", total, 0.0)
    assert released(found).allows_to_forget(vanish[len(allowed)], total, 0.0)


def test_vanished_is_noted() -> None:
    """What has vanished is noted before it is given up, so that a restart does not begin to count anew."""
    found = brake()
    assert found.allows_to_forget("a", 5, 1.0)
    note = found.to_note(1.0)
    assert note and note.vanished == {"a": 1.0}
    found.noted = note
    assert found.to_note(2.0) is None
    zero = NOW - timedelta(seconds=100)
    later = brake()
    later.inherit(note_of(counted_of(note, "", zero), zero))
    assert "".join(name for name in "abcd" if later.allows_to_forget(name, 5, 2.0)) == "abc"
