"""One kill plan: what happens, at which write the operator ends and when exactly, and what must come of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.kills.scenarios import SCENARIOS, Scenario
from tests.kills.sites import Killer, Moment
from tests.kills.stage import POLL, Stage, World, stage
from tests.support.platform import SOURCES
from tests.support.proxy import Call, Fault, Proxy
from tests.support.scene import is_list
from tests.support.waiting import wait_for

Rule = Callable[[Proxy, Call], Fault | None]


class Stale(StrEnum):
    """Whose first lists show the next operator what was there before anything happened."""

    KUBERNETES = "stale-kubernetes"
    PLATFORM = "stale-platform"


@dataclass(frozen=True)
class Plan:
    """Which write of which scenario, from 0, and when.

    Attributes:
        then: what the next operator meets: it is killed too, at its first write, or sees what is stale.
    """

    event: str
    at: int
    moment: Moment
    then: Moment | Stale | None = None

    @property
    def scenario(self) -> Scenario:
        """What happens."""
        return SCENARIOS[self.event]

    @property
    def site(self) -> str:
        """The write."""
        return self.scenario.sites[self.at]

    def __str__(self) -> str:
        again = f"-then-{self.then}" if self.then else ""
        return f"{self.event}-{self.at + 1}-{self.site}-{self.moment}{again}".replace(" ", "-").lower()

    def run(self, world: World, expected: str) -> None:
        """Kills the operator, starts another, and compares what is left with what a run without a fault leaves."""
        with stage(world, str(self)) as there:
            _prepare(there, self.scenario)
            view = View.of(there)
            killer = Killer(there.kill, self.at, self.moment, there.ids)
            _happen(there, self.scenario, killer)
            _await_end(there, killer)
            assert killer.site == self.site, f"killed at another write: {killer.sites}"
            if self.scenario.meanwhile:
                self.scenario.meanwhile(there)
            self._restart(there, view)
            if self.moment is Moment.DURING:
                killer.deliver()
            _compare(there, expected)

    def _restart(self, there: Stage, view: "View") -> None:
        if isinstance(self.then, Moment):
            again = Killer(there.kill, 0, self.then, there.ids)
            there.obey(again)
            there.start(ready=False)
            _await_end(there, again)
        if isinstance(self.then, Stale):
            there.obey(view.rule(self.then))
        else:
            there.obey(None)
        there.start()
        if isinstance(self.then, Stale):
            wait_for(lambda: view.shown, what="something stale to be shown")


def every_plan(*, more: bool) -> Iterator[Plan]:
    """Yields one plan for each write and moment; and, if asked for, those whose next operator has no luck either."""
    sites = [(event, at) for event, scenario in SCENARIOS.items() for at in range(len(scenario.sites))]
    yield from (Plan(event, at, moment) for event, at in sites for moment in Moment)
    if more:
        served = (Moment.LOST, Moment.AFTER)
        yield from (Plan(event, at, moment, stale) for event, at in sites for moment in served for stale in Stale)
        twice = [(first, then) for first in (Moment.BEFORE, Moment.LOST) for then in (Moment.BEFORE, *served)]
        yield from (
            Plan(event, at, first, then) for event, at in sites for first, then in twice if _goes_on(event, at, first)
        )


def _goes_on(event: str, at: int, moment: Moment) -> bool:
    """Tells whether there is anything left to write after a kill, so that there can be another."""
    scenario = SCENARIOS[event]
    if scenario.meanwhile:
        return at > 0 or moment is Moment.LOST  # what was never begun just vanishes
    return at + 1 < len(scenario.sites) or moment is Moment.BEFORE


@dataclass
class View:
    """What an operator would have listed at some time.

    Attributes:
        answers: whole answers of the apiserver and of the platform.
        shown: how often one of them was shown later.
    """

    answers: dict[Stale, dict[str, object]]
    shown: int = 0

    @classmethod
    def of(cls, there: Stage) -> "View":
        """Takes it."""
        sources = {"data": there.platform("GET", f"{SOURCES}?page[size]=100&sort=id")}
        return cls({Stale.KUBERNETES: there.resources.list(), Stale.PLATFORM: sources})

    def rule(self, stale: Stale) -> Rule:
        """Shows it to the first who asks: the operator's own list and that of its watch, or its first inventory."""
        most = 2 if stale is Stale.KUBERNETES else 1

        def show(_proxy: Proxy, call: Call) -> Fault | None:
            listing = is_list(call) if stale is Stale.PLATFORM else _lists_resources(call)
            if not listing or self.shown >= most:
                return None
            self.shown += 1
            return Fault(forward=False, answer=(200, self.answers[stale]))

        return show


def _lists_resources(call: Call) -> bool:
    path, _, query = call.path.partition("?")
    return call.method == "GET" and path.endswith("/imagesources") and "watch" not in query


def fault_free(world: World, event: str) -> tuple[tuple[str, ...], str]:
    """Returns the writes that an event takes and what it leads to."""
    scenario = SCENARIOS[event]
    with stage(world, f"reference-{event}") as there:
        _prepare(there, scenario)
        counter = Killer(there.kill, None, kept=there.ids)
        _happen(there, scenario, counter)
        _rest(there)
        sites = tuple(counter.sites)
        if scenario.meanwhile:
            scenario.meanwhile(there)
            _rest(there)
        return sites, there.outcome()


def _prepare(there: Stage, scenario: Scenario) -> None:
    there.start()
    if scenario.prepare:
        scenario.prepare(there)
    there.settle()


def _happen(there: Stage, scenario: Scenario, rule: Rule) -> None:
    if scenario.offline:
        there.end()
    there.obey(rule)
    scenario.happen(there)
    if scenario.offline:
        there.start(ready=False)


def _await_end(there: Stage, killer: Killer) -> None:
    wait_for(there.is_killed, what=f"the kill, after {killer.sites}; see {there.log}")
    killer.check()


def _rest(there: Stage) -> None:
    """Waits until nothing more happens."""

    def look() -> bool:
        writes = there.writes()
        there.pass_inventories()
        return there.is_settled() and there.writes() == writes

    wait_for(look, what=f"the end; see {there.log}", every=POLL)


def _compare(there: Stage, expected: str) -> None:
    """Waits for the expected outcome, and sees that it is the last word."""

    def look() -> bool:
        found = there.outcome()
        assert found == expected, f"{found}\ninstead of\n{expected}\nThe operator's log: {there.log}"
        return True

    wait_for(look, what="the outcome of a run without a fault", every=POLL)
    _rest(there)
    look()
