"""The brake: too many sources deleted or rewritten within a while stop all writes to a hub, until a person releases it.

A wrong selector in a pruning tool, or a bad commit, looks like a lot of honest edits; the only difference is how many.

A restart must not begin to count anew, or an operator that crashes often never stops. So a source is noted in the Hub's
status before it is touched: by its id, so that it is one source to every later process too. Of very many the rest are
a number, a little ahead, so that it need not be noted for each.

Sources that have vanished from the platform count by themselves, and stop the writes much sooner: to create them all
again would double them when it was the platform that is an old copy of itself, or another one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from secrets import token_hex

from imagesources.resources.hub import Brake as BrakeSpec
from imagesources.resources.hub import BrakeStatus, seconds

_NAMED = 20
"""How many sources are noted by id: twice what a Hub allows by default, and still nothing to scroll through."""

_VANISHED_PERCENT = 10
"""The share of a hub's sources that may vanish within the window and be created again, as long as it is ``_NAMED``."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the Hub's status says was touched. Times are the loop's.

    Attributes:
        touched: when each of the newest sources was touched.
        vanished: when each source was found to have vanished.
        others: how many more may have been.
        at: when the others were noted; for a window's length more may be touched without noting it again.
    """

    touched: Mapping[str, float] = field(default_factory=dict)
    vanished: Mapping[str, float] = field(default_factory=dict)
    others: int = 0
    at: float = float("-inf")


@dataclass(slots=True)
class Brake:
    """Counts the sources of one hub that are deleted or rewritten, and those that have vanished.

    Attributes:
        spec: when it stops.
        token: while it is engaged: what releases it.
        message: why it is engaged.
        touched: when each source was touched last, oldest first.
        vanished: when each source that others deleted was given up for lost, oldest first.
        stopped: the sources that it has kept from being touched.
        released: those of them that a person has let go on, for as long as the window, and when that began.
        most: how many may be touched, as was found last.
        before: how many more an earlier process may have touched, and until when they count.
        noted: what the Hub's status says.
    """

    spec: BrakeSpec
    token: str | None = None
    message: str | None = None
    touched: OrderedDict[str, float] = field(default_factory=OrderedDict)
    vanished: OrderedDict[str, float] = field(default_factory=OrderedDict)
    stopped: set[str] = field(default_factory=set)
    released: dict[str, float | None] = field(default_factory=dict)
    most: int = 0
    before: tuple[int, float] = (0, 0.0)
    noted: Note = Note()

    def allows(self, source_id: str, total: int, now: float) -> bool:
        """Tell whether a source may be touched, and count it; one too many engages the brake.

        Args:
            source_id: the source that would be deleted or rewritten.
            total: how many sources the hub has.
            now: the loop's time.
        """
        if self._is_stopped(source_id):
            return False
        if self._is_released(source_id, now):
            return True
        _forget_older(self.touched, now - seconds(self.spec.window))
        self.most = max(self.spec.minimum, total * self.spec.percent // 100)
        if source_id not in self.touched and self._count(now) >= self.most:
            self._engage(source_id, f"more than {self.most} of {total} sources would be deleted or rewritten")
            return False
        _note_newest(self.touched, source_id, now)
        return True

    def allows_to_forget(self, source_id: str, total: int, now: float) -> bool:
        """Tell whether a source that has vanished may be created again, and count it; too many engage the brake.

        Args:
            source_id: the source that is not there any more.
            total: how many sources the hub has left.
            now: the loop's time.
        """
        if self._is_stopped(source_id):
            return False
        if self._is_released(source_id, now):
            return True
        _forget_older(self.vanished, now - seconds(self.spec.window))
        had = total + len(self.vanished.keys() | {source_id})
        most = max(self.spec.vanished, min(_NAMED, had * _VANISHED_PERCENT // 100))
        if source_id not in self.vanished and len(self.vanished) >= most:
            self._engage(source_id, f"more than {most} sources that have vanished would be created again")
            return False
        _note_newest(self.vanished, source_id, now)
        return True

    def _is_stopped(self, source_id: str) -> bool:
        if self.token:
            self.stopped.add(source_id)
        return self.token is not None

    def _engage(self, source_id: str, why: str) -> None:
        self.token = token_hex(4)
        self.message = (
            f"{why} within {self.spec.window}; writes are stopped. Is that what you want? Then set spec.releaseBrake "
            f"of the Hub to {self.token}"
        )
        self.stopped = {source_id}

    def restore(self, status: BrakeStatus | None, release: str | None) -> None:
        """Take up what a Hub says: the brake that an earlier process engaged, or its release."""
        if status and status.engaged and self.token is None:
            self.token, self.message = status.token, status.message
        if self.token and release == self.token:
            self.token = self.message = None
            self.touched.clear()
            self.vanished.clear()
            self.before, self.noted = (0, 0.0), Note()
            self.released = dict.fromkeys(self.stopped)
            self.stopped = set()

    def take_over(self, old: "Brake") -> None:
        """Go on with what an earlier connection to the same hub has counted and stopped."""
        if old.token:
            self.token, self.message = old.token, old.message
        self.touched, self.vanished = old.touched, old.vanished
        self.stopped, self.released = old.stopped, old.released
        self.before, self.noted = old.before, old.noted

    def inherit(self, note: Note) -> None:
        """Go on from what an earlier process has noted."""
        self.touched = OrderedDict(sorted(note.touched.items(), key=_by_time))
        self.vanished = OrderedDict(sorted(note.vanished.items(), key=_by_time))
        self.before = (note.others, note.at + 2 * seconds(self.spec.window))

    def to_note(self, now: float) -> Note | None:
        """Tell what must be noted before the source that was allowed last is touched; None: what is noted will do."""
        named, before = self.noted.touched, self._before(now)
        unnamed = before + sum(named.get(name) != at for name, at in self.touched.items())
        is_enough = unnamed <= self.noted.others and now < self.noted.at + seconds(self.spec.window)
        if _newest(self.vanished).items() <= self.noted.vanished.items() and (not unnamed or is_enough):
            return None
        newest, lost = _newest(self.touched), _newest(self.vanished)
        others = self._count(now) - len(newest)
        ahead = min(self.most - self._count(now), self.most // 10) if others else 0
        return Note(newest, lost, others + max(ahead, 0), now)

    def _count(self, now: float) -> int:
        return len(self.touched) + self._before(now)

    def _before(self, now: float) -> int:
        before, until = self.before
        return before if now < until else 0

    def _is_released(self, source_id: str, now: float) -> bool:
        if source_id not in self.released:
            return False
        since = self.released[source_id]
        if since is None:
            since = self.released[source_id] = now
        if since > now - seconds(self.spec.window):
            return True
        del self.released[source_id]
        return False

    def status(self) -> BrakeStatus | None:
        """Write what the Hub's status says of it; None: it is not engaged."""
        return BrakeStatus(engaged=True, token=self.token, message=self.message) if self.token else None


def _note_newest(times: OrderedDict[str, float], source_id: str, now: float) -> None:
    times[source_id] = now
    times.move_to_end(source_id)


def _newest(times: OrderedDict[str, float]) -> dict[str, float]:
    return dict(islice(reversed(times.items()), _NAMED))


def _forget_older(times: OrderedDict[str, float], than: float) -> None:
    while times and next(iter(times.values())) <= than:
        times.popitem(last=False)


def _by_time(item: tuple[str, float]) -> float:
    return item[1]
