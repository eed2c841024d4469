"""The brake: too many sources deleted or rewritten within a while stop all writes to a hub, until a person releases it.

A wrong selector in a pruning tool, or a bad commit, looks like a lot of honest edits; the only difference is how many.

A restart must not begin to count anew, or an operator that crashes often never stops. So a count is noted in the Hub's
status before a source is touched, a little ahead, so that it need not be noted for each.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from secrets import token_hex

from imagesources.resources.hub import Brake as BrakeSpec
from imagesources.resources.hub import BrakeStatus, seconds


@dataclass(slots=True)
class Brake:
    """Counts the sources of one hub that are deleted or rewritten.

    Attributes:
        spec: when it stops.
        token: while it is engaged: what releases it.
        message: why it is engaged.
        touched: when each source was touched last, oldest first.
        stopped: the sources that it has kept from being touched.
        released: those of them that a person has let go on, for as long as the window, and when that began.
        most: how many may be touched, as was found last.
        before: how many an earlier process may have touched, and until when they count.
        noted: how many the Hub's status says are touched, and when that was written.
    """

    spec: BrakeSpec
    token: str | None = None
    message: str | None = None
    touched: OrderedDict[str, float] = field(default_factory=OrderedDict)
    stopped: set[str] = field(default_factory=set)
    released: dict[str, float | None] = field(default_factory=dict)
    most: int = 0
    before: tuple[int, float] = (0, 0.0)
    noted: tuple[int, float] = (0, float("-inf"))

    def allows(self, source_id: str, total: int, now: float) -> bool:
        """Tell whether a source may be touched, and count it; one too many engages the brake.

        Args:
            source_id: the source that would be deleted or rewritten.
            total: how many sources the hub has.
            now: the loop's time.
        """
        if self.token:
            self.stopped.add(source_id)
            return False
        if self._is_released(source_id, now):
            return True
        while self.touched and next(iter(self.touched.values())) <= now - seconds(self.spec.window):
            self.touched.popitem(last=False)
        self.most = max(self.spec.minimum, total * self.spec.percent // 100)
        if source_id not in self.touched and self._count(now) >= self.most:
            self.token = token_hex(4)
            self.message = (
                f"more than {self.most} of {total} sources would be deleted or rewritten within {self.spec.window}; "
                f"writes are stopped. Is that what you want? Then set spec.releaseBrake of the Hub to {self.token}"
            )
            self.stopped = {source_id}
            return False
        self.touched[source_id] = now
        self.touched.move_to_end(source_id)
        return True

    def restore(self, status: BrakeStatus | None, release: str | None) -> None:
        """Take up what a Hub says: the brake that an earlier process engaged, or its release."""
        if status and status.engaged and self.token is None:
            self.token, self.message = status.token, status.message
        if self.token and release == self.token:
            self.token = self.message = None
            self.touched.clear()
            self.before, self.noted = (0, 0.0), (0, float("-inf"))
            self.released = dict.fromkeys(self.stopped)
            self.stopped = set()

    def take_over(self, old: "Brake") -> None:
        """Go on with what an earlier connection to the same hub has counted and stopped."""
        if old.token:
            self.token, self.message = old.token, old.message
        self.touched, self.stopped, self.released = old.touched, old.stopped, old.released
        self.before, self.noted = old.before, old.noted

    def inherit(self, count: int, age: float, now: float) -> None:
        """Go on from what an earlier process has noted.

        Args:
            count: how many it may have touched.
            age: seconds since it noted that; for a window's length it may have gone on without noting it again.
            now: the loop's time.
        """
        self.before = (count, now + 2 * seconds(self.spec.window) - age)

    def to_note(self, now: float) -> int | None:
        """Tell what must be noted before the source that was allowed last is touched; None: what is noted will do."""
        count = self._count(now)
        noted, at = self.noted
        if not count or (count <= noted and now < at + seconds(self.spec.window)):
            return None
        return max(count, min(self.most, count + self.most // 10))

    def _count(self, now: float) -> int:
        before, until = self.before
        return len(self.touched) + (before if now < until else 0)

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
