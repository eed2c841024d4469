"""One state of the whole world: small integers and short tuples, so that it is quickly compared and kept."""

from dataclasses import dataclass
from typing import NamedTuple

from tests.model.ports import Question, Reply
from tests.model.values import Table

NEVER = -1
"""In ``due``: not before something changes."""

CURRENT = -2
"""In ``views``: the process sees what is."""


@dataclass(frozen=True)
class Scene:
    """What is explored.

    Attributes:
        resources: how many there are.
        operators: how many processes run at once.
        faults: how many things go wrong at most.
        foreign: whether somebody else has a source with the same identifier, name and type.
        deletes: whether a person deletes each resource at any moment, or never.
        turns: whether one process goes on until it has nothing to do, and takes the resources in turn; that another
            goes on before, or another resource comes first, counts as a fault then.
        pauses: whether a process may be held up while time goes on.
        minor: whether faults count too that only delay: reads and writes to the apiserver that are lost, slow lists,
            jobs that outlast everything else.
    """

    resources: int = 1
    operators: int = 1
    faults: int = 4
    foreign: bool = True
    deletes: bool = False
    turns: bool = False
    pauses: bool = False
    minor: bool = False


class Busy(NamedTuple):
    """A pass under way.

    Attributes:
        resource: what it reconciles.
        views: the contents that it began with.
        replies: the answers so far.
        question: what it asks for now.
        fresh: whether the resource is still as the process saw it, so that a write is taken.
        paused: whether the process is held up, while time goes on.
        ticks: how many ticks it has been held up for.
    """

    resource: int
    views: tuple[int, ...]
    replies: tuple[Reply, ...]
    question: Question
    fresh: bool
    paused: bool = False
    ticks: int = 0


class Operator(NamedTuple):
    """One operator process.

    Attributes:
        core: what it knows (a number); while a pass is under way, what it knew when that began.
        views: for each resource the content that it sees, where the watch lags behind; else ``CURRENT``.
        due: for each resource the ticks until its next pass.
        list_due: whether a list is to be begun.
        listed: the answer of the list that is under way (a number), or -1.
        busy: the pass under way.
        last: where processes take turns: the resource that the last pass was over; the others are next.
    """

    core: int
    views: tuple[int, ...]
    due: tuple[int, ...]
    list_due: bool = True
    listed: int = -1
    busy: Busy | None = None
    last: int = -1

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done before time goes on."""
        if self.busy:
            return self.busy.paused
        return not self.list_due and self.listed < 0 and 0 not in self.due


OPERATORS: Table[Operator] = Table()


class Late(NamedTuple):
    """A POST that its sender has given up and that is still under way.

    Attributes:
        question: what it asks for.
        resource: whose source it creates.
        age: ticks since it was sent.
    """

    question: Question
    resource: int
    age: int


class World(NamedTuple):
    """One state.

    Attributes:
        contents: of each resource, without its resourceVersion (a number); ``GONE`` when it is gone.
        platform: the platform (a number).
        listing: what an outdated list shows: the sources before the last create or end of a source (a number).
        operators: the numbers of the processes, in order: they are interchangeable.
        late: POSTs under way.
        matched: whether each resource has ever been seen to match.
        strays: ids of sources that came later than the operator waits for them.
    """

    contents: tuple[int, ...]
    platform: int
    listing: int
    operators: tuple[int, ...]
    late: tuple[Late, ...] = ()
    matched: tuple[bool, ...] = ()
    strays: tuple[str, ...] = ()
