"""What can happen next in a state: a process does the next thing of its pass, something fails, a person deletes.

The first free move of a state is what happens when nobody interferes: processes first, then the platform's jobs, the
watch, late requests, and time at last.

Moves that only commute are not tried in every order. What happens on the platform by itself (a job ends, a late POST
arrives) is tried just before a process asks the platform, what happens to a resource just before a pass begins or
writes to the apiserver, and both when nothing is to be done. A process is killed just after a write, or as time goes
on: at any other moment it loses nothing more, and leaves nothing else behind.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.model.cluster import changed, deleted, is_deleted, patched, put, told_of
from tests.model.core import CORES, LATE, Core, forgetting, older
from tests.model.passes import GONE, Ended, Engines, Pending
from tests.model.platform import Platforms, jobs_of
from tests.model.ports import FAILED, UNANSWERED, VANISHED, Question, Reply
from tests.model.state import CURRENT, NEVER, OPERATORS, Busy, Late, Operator, Scene, World
from tests.model.values import freeze, look, thaw

Json = dict[str, Any]


class Move(NamedTuple):
    """One thing that happens.

    Attributes:
        name: in words.
        world: the state after it.
        fault: whether it is a fault, which are counted.
        person: whether somebody does it, who may as well not.
        wrote: the resource whose pass has written to the platform or the apiserver, or -1.
        source: the id of the source that was written to, or "".
    """

    name: str
    world: World
    fault: bool = False
    person: bool = False
    wrote: int = -1
    source: str = ""


class Moves:
    """Tells all moves of a state."""

    def __init__(self, scene: Scene) -> None:
        self.engines = Engines()
        self.platforms = Platforms()
        self.scene = scene
        resources = scene.resources
        unknown = Core((None,) * resources)
        self.newborn = Operator(CORES.number(unknown), (CURRENT,) * resources, (NEVER,) * resources)

    def all(self, world: World) -> Iterator[Move]:
        """All moves of a state, the free ones in the order of an undisturbed run first."""
        processes = [OPERATORS[number] for number in world.operators]
        acting = processes[:1] if self.scene.turns else processes
        for place, process in enumerate(acting):
            if place and processes[place - 1] == process:
                continue  # the same process twice: the same moves
            yield from self._of(world, place, process)
        if self.scene.turns and not all(process.idle for process in processes[1:]):
            first, *others = world.operators
            yield Move("another goes on", world._replace(operators=(*others, first)), fault=not processes[0].idle)
        if any(map(_asks_platform, acting)):
            yield from self._of_platform(world)
            yield from self._of_late(world)
        if any(map(_asks_kubernetes, acting)):
            yield from self._of_watch(world)
            if self.scene.deletes:
                yield from self._of_people(world)
        if all(process.idle for process in processes):
            yield from self._of_time(world)

    def _of_time(self, world: World) -> Iterator[Move]:
        """Time goes on when nothing is to be done; a job that outlasts that is a fault."""
        after, slow = self._tick(world), bool(jobs_of(world.platform))
        if not slow:
            yield Move("time goes on", after)
        elif self.scene.minor:
            yield Move("time goes on, the job does not end", after, fault=True)
        for place in range(len(world.operators)):
            if not slow:
                yield Move("restart", self._with(after, place, self.newborn), fault=True)

    # Processes

    def _of(self, world: World, place: int, process: Operator) -> Iterator[Move]:
        if process.busy:
            yield from self._answers(world, place, process, process.busy)
            return
        after = process.last + 1
        ready = [r for r in (*range(after, len(process.due)), *range(after)) if process.due[r] == 0]
        for resource in ready:
            yield self._begin(world, place, process, resource, early=self.scene.turns and resource != ready[0])
        if process.listed >= 0:
            yield Move("list ends", self._with(world, place, self._listed(world, process, process.listed)))
        elif process.list_due and 0 not in process.due:
            _, reply = self.platforms.ask(world.platform, Question("list"))
            yield Move("list", self._with(world, place, self._listed(world, process, reply.body)))
            begun = self.engines.begin_list(process.core)
            slow = process._replace(core=begun, list_due=False, listed=reply.body)
            if self.scene.minor:
                yield Move("slow list", self._with(world, place, slow), fault=True)
            if world.listing != reply.body:
                stale = self._listed(world, process, world.listing)
                yield Move("stale list", self._with(world, place, stale), fault=True)

    def _listed(self, world: World, process: Operator, answer: int) -> Operator:
        """Take a list in; every resource is looked at then."""
        core = self.engines.end_list(process.core, answer)
        due = tuple(NEVER if self._view(world, process, r) == GONE else 0 for r in range(len(process.due)))
        return process._replace(core=core, list_due=False, listed=-1, due=due)

    def _view(self, world: World, process: Operator, resource: int) -> int:
        seen = process.views[resource]
        return world.contents[resource] if seen == CURRENT else seen

    def _begin(self, world: World, place: int, process: Operator, resource: int, *, early: bool) -> Move:
        views = tuple(self._view(world, process, index) for index in range(len(process.views)))
        due = put(process.due, resource, NEVER)
        process = process._replace(due=due, last=resource if self.scene.turns else -1)
        fresh = process.views[resource] == CURRENT
        question = Question("")
        busy = Busy(resource, views, (), question, fresh)
        return Move(f"pass over {resource}", self._go_on(world, place, process, busy, None), fault=early)

    def _go_on(self, world: World, place: int, process: Operator, busy: Busy, reply: Reply | None) -> World:
        """Let a pass go on with an answer, until its next question or its end."""
        replies = busy.replies if reply is None else (*busy.replies, reply)
        result = self.engines.run(process.core, busy.views, busy.resource, replies)
        if isinstance(result, Pending):
            busy = busy._replace(replies=replies, question=result.question)
            return self._with(world, place, process._replace(busy=busy))
        return self._with(world, place, self._ended(world, process, busy, result))

    def _ended(self, world: World, process: Operator, busy: Busy, result: Ended) -> Operator:
        core = result.core
        for _ in range(busy.ticks):
            core = older(core)
        due = process.due
        if due[busy.resource] != 0:
            due = put(due, busy.resource, NEVER if result.due_in is None else result.due_in)
        for resource in range(len(due)):
            if self._view(world, process, resource) == GONE:
                core = forgetting(core, resource)
                due = put(due, resource, NEVER)
        return process._replace(core=core, due=due, busy=None)

    def _answers(self, world: World, place: int, process: Operator, busy: Busy) -> Iterator[Move]:
        if busy.paused:
            going = process._replace(busy=busy._replace(paused=False))
            yield Move("goes on", self._with(world, place, going))
            return
        if busy.question.of_kubernetes:
            yield from self._of_write(world, place, process, busy)
        else:
            yield from self._of_request(world, place, process, busy)
        if self.scene.pauses:
            held = process._replace(busy=busy._replace(paused=True))
            yield Move("pause", self._with(world, place, held), fault=True)

    # Requests to the platform

    def _of_request(self, world: World, place: int, process: Operator, busy: Busy) -> Iterator[Move]:
        question, resource = busy.question, busy.resource
        what = f"{question.verb} {question.subject[-2:]}"
        applied, reply = self._applied(world, question, busy.ticks)
        wrote = {"wrote": resource, "source": question.subject} if question.writes else {}
        yield Move(what, self._go_on(applied, place, process, busy, reply), **wrote)
        if question.verb == "list" and (stale := self._outdated(world, question)) != reply:
            yield Move("stale look for the marker", self._go_on(world, place, process, busy, stale), fault=True)
        if question.writes or self.scene.minor:
            yield Move(f"{what}: lost", self._go_on(world, place, process, busy, UNANSWERED), fault=True)
        if not question.writes:
            return
        lost = self._go_on(applied, place, process, busy, UNANSWERED)
        yield Move(f"{what}: reply lost", lost, fault=True, **wrote)
        yield Move(f"{what}: crash after", self._with(applied, place, self.newborn), fault=True, **wrote)
        if question.verb == "create":
            sent = Late(question, resource, min(busy.ticks, LATE))
            late = world._replace(late=tuple(sorted((*world.late, sent))))
            yield Move(f"{what}: late", self._go_on(late, place, process, busy, UNANSWERED), fault=True)
            yield Move(f"{what}: late, crash", self._with(late, place, self.newborn), fault=True)

    def _applied(self, world: World, question: Question, age: int) -> tuple[World, Reply]:
        """Apply a request; a source that comes later than anybody waits is noted as a stray."""
        platform, reply = self.platforms.ask(world.platform, question)
        if platform == world.platform:
            return world, reply
        after = world._replace(platform=platform)
        if question.verb == "create":
            after = after._replace(listing=self._listing(world.platform))
            if age >= LATE:
                strays = tuple(sorted((*world.strays, thaw(reply.body)["id"])))
                after = after._replace(strays=strays)
        return after, reply

    def _listing(self, platform: int) -> int:
        return self.platforms.ask(platform, Question("list"))[1].body

    def _outdated(self, world: World, question: Question) -> Reply:
        shown = [s for s in look(world.listing) if s["identifier"] == question.subject]
        return Reply("ok", freeze(shown))

    # Writes to the apiserver

    def _of_write(self, world: World, place: int, process: Operator, busy: Busy) -> Iterator[Move]:
        resource = busy.resource
        live = world.contents[resource]
        if live == GONE:
            yield Move("write: gone", self._go_on(world, place, process, busy, VANISHED))
            return
        current = process._replace(views=put(process.views, resource, CURRENT))
        if not busy.fresh:
            yield Move("write: 409", self._go_on(world, place, current, busy, Reply("conflict", live)))
            return
        yield Move("spurious 409", self._go_on(world, place, current, busy, Reply("conflict", live)), fault=True)
        if self.scene.minor:
            yield Move("write: lost", self._go_on(world, place, process, busy, FAILED), fault=True)
        content, shown = patched(live, busy.question)
        reply = Reply("ok", shown)
        for name, written, fault in changed(world, resource, content, writer=place):
            mine = OPERATORS[written.operators[place]]
            wrote = {"fault": fault, "wrote": resource}
            seen = mine._replace(due=process.due)
            yield Move(f"write{name}", self._go_on(written, place, seen, busy, reply), **wrote)  # type: ignore[arg-type]
            if fault:
                continue
            yield Move("write: reply lost", self._go_on(written, place, mine, busy, FAILED), fault=True, wrote=resource)
            yield Move("write: crash after", self._with(written, place, self.newborn), fault=True, wrote=resource)

    # Everything else

    def _of_people(self, world: World) -> Iterator[Move]:
        for resource, content in enumerate(world.contents):
            if not is_deleted(content):
                for name, after, fault in changed(world, resource, deleted(content)):
                    yield Move(f"person deletes {resource}{name}", self._sorted(after), fault=fault, person=True)

    def _of_platform(self, world: World) -> Iterator[Move]:
        for job_id in jobs_of(world.platform):
            platform = self.platforms.finish(world.platform, job_id)
            ended = world._replace(platform=platform, listing=self._listing(world.platform))
            yield Move("job ends", ended)

    def _of_watch(self, world: World) -> Iterator[Move]:
        for place, number in enumerate(world.operators):
            process = OPERATORS[number]
            for resource, seen in enumerate(process.views):
                if seen != CURRENT:
                    caught_up = process._replace(views=put(process.views, resource, CURRENT))
                    told = told_of(caught_up, resource, gone=world.contents[resource] == GONE)
                    yield Move("watch catches up", self._with(world, place, told))

    def _of_late(self, world: World) -> Iterator[Move]:
        for index, late in enumerate(world.late):
            rest = world._replace(late=world.late[:index] + world.late[index + 1 :])
            arrived, _ = self._applied(rest, late.question, late.age)
            yield Move("late POST arrives", arrived)

    def _tick(self, world: World) -> World:
        processes = [OPERATORS.number(_later(OPERATORS[number])) for number in world.operators]
        waited_for = (
            late for late in world.late if late.age + 1 < LATE or not is_deleted(world.contents[late.resource])
        )
        late = tuple(sorted(late._replace(age=min(late.age + 1, LATE)) for late in waited_for))
        return self._sorted(world._replace(operators=tuple(processes), late=late))

    def _with(self, world: World, place: int, process: Operator) -> World:
        numbers = put(world.operators, place, OPERATORS.number(process))
        return self._sorted(world._replace(operators=numbers))

    def _sorted(self, world: World) -> World:
        """Name processes in one order only: they are interchangeable, but for whose turn it is."""
        return world if self.scene.turns else world._replace(operators=tuple(sorted(world.operators)))


def _asks_platform(process: Operator) -> bool:
    """Whether what it does next depends on the platform, or it does nothing."""
    if process.busy:
        return process.busy.paused or not process.busy.question.of_kubernetes
    return process.idle or process.list_due


def _asks_kubernetes(process: Operator) -> bool:
    """Whether what it does next depends on the resources, or it does nothing."""
    return process.busy is None or process.busy.paused or process.busy.question.of_kubernetes


def _later(process: Operator) -> Operator:
    due = tuple(max(ticks - 1, 0) if ticks > 0 else ticks for ticks in process.due)
    if process.busy:
        busy = process.busy._replace(ticks=min(process.busy.ticks + 1, LATE))
        return process._replace(busy=busy, due=due, list_due=True)
    return process._replace(core=older(process.core), due=due, list_due=True)
