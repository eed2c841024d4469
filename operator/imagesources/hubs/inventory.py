"""What one hub has, as far as the operator has seen: a paged list now and then, and every reply in between.

A list takes time, and while it runs single sources are created, changed and deleted. So each entry knows when it
was seen, and a list never overrules a reply that came after the list was begun.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from imagesources.platform.models import Source, SourceState


@dataclass(frozen=True, slots=True)
class Seen:
    """A source and the (monotonic) time at which the platform showed it; ``direct``: by a reply about it alone."""

    source: Source
    at: float
    direct: bool


@dataclass(slots=True)
class Inventory:
    """All sources of one hub."""

    entries: dict[str, Seen] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    """Ids that the platform said are not there (404.image.source), and when."""
    carriers: dict[str, set[str]] = field(default_factory=dict)
    """Ids by identifier."""
    completed: float | None = None
    """When the newest complete list was begun."""

    def learn(self, source: Source, at: float) -> None:
        """Take in a reply about one source."""
        known = self.entries.get(source.id)
        if known and known.at > at:
            return
        self.gone.pop(source.id, None)
        self._put(Seen(source, at, direct=True))

    def forget(self, source_id: str, at: float) -> None:
        """Take in that the platform has no such source."""
        self._drop(source_id)
        self.gone[source_id] = at

    def replace(self, listed: Iterable[Source], begun: float) -> set[str]:
        """Take in a complete list.

        Args:
            listed: every source of the hub.
            begun: when the list was begun.

        Returns:
            The ids whose entry is new, different or no longer there.
        """
        changed = set()
        fresh = {source.id: source for source in listed}
        for source_id, seen in list(self.entries.items()):
            if source_id not in fresh and seen.at < begun:
                self._drop(source_id)
                changed.add(source_id)
        for source_id, source in fresh.items():
            old = self.entries.get(source_id)
            if (old and old.at >= begun) or self.gone.get(source_id, begun - 1) >= begun:
                continue
            if old is None or old.source != source:
                changed.add(source_id)
            self._put(Seen(source, begun, direct=False))
        self.gone = {source_id: at for source_id, at in self.gone.items() if at >= begun}
        self.completed = begun
        return changed

    def get(self, source_id: str | None) -> Seen | None:
        """Find a source by id."""
        return self.entries.get(source_id) if source_id else None

    def with_identifier(self, identifier: str, state: SourceState = SourceState.LIVE) -> tuple[Source, ...]:
        """Find the sources that carry an identifier and are in a state, lowest id first."""
        found = (self.entries[source_id].source for source_id in sorted(self.carriers.get(identifier, ())))
        return tuple(source for source in found if source.state.current is state)

    def _put(self, seen: Seen) -> None:
        self._drop(seen.source.id)
        self.entries[seen.source.id] = seen
        self.carriers.setdefault(seen.source.identifier, set()).add(seen.source.id)

    def _drop(self, source_id: str) -> None:
        old = self.entries.pop(source_id, None)
        if old is None:
            return
        ids = self.carriers[old.source.identifier]
        ids.discard(source_id)
        if not ids:
            del self.carriers[old.source.identifier]
