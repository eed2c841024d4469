"""The whole world of a run: people, a cluster, operators that come and go, a network, a platform, and the judge."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextvars import copy_context

from tests.simulation.cluster import HUBS, SECRETS, SOURCES, Apiserver
from tests.simulation.convergence import Convergence
from tests.simulation.faults import Fault, Site
from tests.simulation.judge import Judge
from tests.simulation.kubernetes import SimulatedApi
from tests.simulation.network import Network, Nobody, Observer
from tests.simulation.passes import Pass
from tests.simulation.platform import HUB_ID, Platform
from tests.simulation.process import SETTINGS, OperatorProcess, follows_at_once
from tests.simulation.schedule import Schedule
from tests.simulation.values import Json

from imagesources.platform.errors import PlatformError
from imagesources.reconcile import engine
from imagesources.reconcile.engine import Next
from imagesources.reconcile.ports import KubernetesError

MOST_STEPS = 4000
"""Calls of the engine in one run; an honest one has a few hundred."""

engine.MOST_IN_A_ROW = MOST_STEPS  # going in circles is to be found here, not slowed down

PATIENCE = 6000.0
"""Seconds in which everything has to come to rest."""

QUIET = SETTINGS.recheck + SETTINGS.late_arrival + 40.0
"""Seconds in which nothing may be written then: longer than any delay before a next try."""

LONGEST_PAUSE = 300.0
"""Seconds for which a hub may have to be left alone before the list that it speaks of."""

JOB_SECONDS = 1.3

HUB_IDS = {"default": HUB_ID, "other": "d" * 24}
"""By the name of the Hub."""

FREE = {"requestsPerSecond": 1000, "burst": 1000}


def hub_spec(name: str, rate: Json = FREE) -> Json:
    """Write the spec of a Hub."""
    key = {"secretKeyRef": {"name": "key", "key": "key"}}
    return {
        "inventoryInterval": "240s",
        "rateLimit": rate,
        "platform": {"hubId": HUB_IDS[name], "apiKeyFrom": key},
    }


class Runaway(KeyboardInterrupt):
    """The operator goes in circles; nothing in it may catch that."""


class World:
    """One run."""

    def __init__(self, schedule: Schedule) -> None:
        random.seed(schedule.seed)
        self.schedule = schedule
        schedule.on_fault = self.disturbed
        self.server = Apiserver()
        self.platform = Platform()
        self.platform.on_job = self._begin_job
        self.judge = Judge(self.server, self.platform, lambda: len(self.processes))
        self.observer: Observer = self.judge
        self.server.on_change = self.judge.changed
        self.network = Network(self.platform, self._is_kept)
        self.convergence = Convergence()
        self.processes: list[OperatorProcess] = []
        self.hubs = {"default": hub_spec("default")}
        self.started = self.steps = self.passes = 0
        self.under_way: set[asyncio.TimerHandle] = set()
        self._outside = copy_context()

    def dismiss_judge(self) -> None:
        """Let nobody look at what happens."""
        self.observer = Nobody()
        self.server.on_change = lambda _change, _old: None

    def furnish(self) -> None:
        """Put the Hubs and their Secret there."""
        self.server.create(SECRETS, "key", data={"key": "key-0"})
        for name, spec in self.hubs.items():
            self.server.create(HUBS, name, spec=spec)

    async def play(self, people: Callable[["World"], Awaitable[None]]) -> None:
        """Let people act while everything fails, then let it come to rest, and judge."""
        try:
            self.start()
            await people(self)
            await self._settled(400.0)
            self.schedule.faults_left = 0
            if not await self._settled(PATIENCE):
                self.judge.final()
            self.convergence.check()
            await self._stay_quiet()
            self.judge.final()
        finally:
            for process in self.processes:
                process.kill()
            for timer in self.under_way:
                timer.cancel()

    def start(self) -> OperatorProcess:
        """Start another operator."""
        self.started += 1
        self.disturbed()
        self.judge.forgotten()
        process = self.make_process()
        self.processes.append(process)
        process.start()
        return process

    def make_process(self) -> OperatorProcess:
        """Make the next operator; it is not started yet."""
        return OperatorProcess(self.started, self)

    def stop(self, process: OperatorProcess) -> None:
        """Kill an operator."""
        self.disturbed()
        self.judge.forgotten()
        process.kill()
        self.server.watchers.pop(process.number, None)
        self.processes.remove(process)

    def is_remembered(self, body: Json) -> bool:
        """Tell whether all operators that run would notice that the status of a resource is lost."""
        uid, status = body["metadata"]["uid"], body["status"]
        return bool(self.processes) and all(process.remembers(uid, status) for process in self.processes)

    def disturbed(self) -> None:
        """Something goes wrong, or somebody does something."""
        self.convergence.disturbed()

    def api_of(self, process: OperatorProcess) -> SimulatedApi:
        """See ``Surroundings``."""
        return SimulatedApi(self.server, process)

    def stepped(self, process: OperatorProcess, made: Pass, due: Next) -> None:
        """See ``Surroundings``."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Runaway(f"more than {MOST_STEPS} steps")
        if made.uid in self.judge.lives:
            settled = self.judge.is_as_wanted(made.uid)
            goes_on = follows_at_once(due)
            self.convergence.stepped(process.number, made.uid, made.sites, goes_on=goes_on, settled=settled)

    def crashed(self, process: OperatorProcess) -> None:
        """See ``Surroundings``: another one is started a while later."""
        self.stop(process)
        self.call_later(self.schedule.restart_delay(), self._restart)

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """See ``Surroundings``: a request arrives that its sender has given up by then."""

        def arrive() -> None:
            self.schedule.note("arrives")
            try:
                what()
            except (PlatformError, KubernetesError):
                return

        self.soon(seconds + self.schedule.lateness(), arrive)

    def soon(self, seconds: float, what: Callable[[], object]) -> None:
        """Let something happen that everything has to wait for before it is at rest."""

        def happen() -> None:
            self.under_way.discard(timer)
            self.disturbed()
            what()

        timer = self.call_later(seconds, happen)
        self.under_way.add(timer)

    def call_later(self, seconds: float, what: Callable[[], object]) -> asyncio.TimerHandle:
        """Let something happen that belongs to no operator."""
        return asyncio.get_running_loop().call_later(seconds, what, context=self._outside)

    def _restart(self) -> None:
        if not self.processes:
            self.start()

    def _is_kept(self, source_id: str) -> bool:
        return any(body["status"].get("id") == source_id for body in self.server.of(SOURCES))

    def _begin_job(self, job_id: str) -> None:
        self.call_later(JOB_SECONDS, lambda: self._end_job(job_id))

    def _end_job(self, job_id: str) -> None:
        fault = self.schedule.draw(Site.JOB_END)
        self.platform.finish(job_id, fault)
        self.judge.platform_changed()

    async def _settled(self, patience: float) -> bool:
        """Wait until all is as it is wanted, and nothing is under way that could change it."""
        loop, pause = asyncio.get_running_loop(), 1.0
        until = loop.time() + patience
        while loop.time() < until:
            try:
                self.judge.final()
            except AssertionError:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 60.0)
                continue
            if not self.under_way and len(self.processes) == 1 and not self.processes[0].is_busy():
                return True
            await asyncio.sleep(pause)
        return False

    async def _stay_quiet(self) -> None:
        """I8: what is settled is left alone; a Hub says after the next list, for a last time, how its sources are."""
        writes, platform = self.server.writes, len(self.platform.writes)
        began = len(writes)
        faults = {fault for _, _, fault in self.schedule.drawn}
        pause = LONGEST_PAUSE if Fault.LIMITED in faults else 0.0
        await asyncio.sleep(250.0 + max(pause, SETTINGS.relist if Fault.GAP in faults else 0.0))
        of_sources = [write for write in writes[began:] if write[0] == SOURCES]
        assert not of_sources, f"I8: writes at rest: {of_sources}"
        began = len(writes)
        await asyncio.sleep(QUIET)
        assert len(writes) == began, f"I8: writes at rest: {writes[began:]}"
        assert len(self.platform.writes) == platform, f"I8: writes at rest: {self.platform.writes[platform:]}"
