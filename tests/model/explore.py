"""Visits every state that can be reached with so many faults, each once, with the fewest faults that lead there."""

from array import array
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic
from typing import Any

from tests.model.beginning import first_world, wanted
from tests.model.judge import Judge
from tests.model.moves import Move, Moves
from tests.model.state import Scene, World

Json = dict[str, Any]


@dataclass
class Result:
    """What was found.

    Attributes:
        states: how many different ones there are.
        transitions: how many moves lead from one to another.
        by_faults: states by the fewest faults that lead there.
        depth: the longest of the shortest ways to a state.
        passes: different passes of the engine that were run.
        rests: different ends of an undisturbed run, by what is to be said of them.
        ends: states, by how an undisturbed run from there ends.
        violations: broken invariants, with how often.
        examples: for each kind of wrong, the shortest way found.
        seconds: how long it took.
        cut: whether there were more states than asked for.
    """

    states: int = 0
    transitions: int = 0
    by_faults: list[int] = field(default_factory=list)
    depth: int = 0
    passes: int = 0
    rests: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    fewest: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.cut and not self.violations and set(self.rests) == {"right"}

    def report(self) -> str:
        """What was found, for people; of each kind of wrong the way with the fewest faults."""
        lines = []
        for wrong, way in self.examples.items():
            lines += ["", f"{wrong} ({self.fewest[wrong]} faults):", *(f"    {move}" for move in way)]
        by_faults = " + ".join(map(str, self.by_faults))
        lines.append(
            f"{self.states} states ({by_faults} by faults), {self.transitions} transitions, depth {self.depth}, "
            f"{self.passes} passes of the engine, {self.seconds:.0f} s"
        )
        lines.append(
            f"states to rest in: {dict(self.rests)}; states by the end of their undisturbed run: {dict(self.ends)}"
        )
        lines.append(f"broken invariants: {dict(self.violations)}")
        return "\n".join(lines)


class Explorer:
    """Explores one scene."""

    def __init__(self, scene: Scene, *, most: int = 20_000_000) -> None:
        self.scene = scene
        self.most = most
        self.moves = Moves(scene)
        self.first = first_world(scene, self.moves)
        self.judge = Judge(self.first, wanted(scene))
        self.result = Result()
        self.numbers: dict[World, int] = {}
        self.worlds: list[World] = []
        self.parent, self.faults, self.depth, self.undisturbed = array("l"), array("b"), array("h"), array("l")
        self.quiet, self.ticks = bytearray(), bytearray()

    def run(self) -> Result:
        """Visit everything, then see where undisturbed runs end."""
        begun = monotonic()
        layer = [(self.first, -1)]
        for faults in range(self.scene.faults + 1):
            before = len(self.worlds)
            layer = self._layer(layer, faults)
            self.result.by_faults.append(len(self.worlds) - before)
            if self.result.cut:
                break
        self.result.states, self.result.depth = len(self.worlds), max(self.depth)
        self.result.passes = self.moves.engines.runs
        if not self.result.cut:
            self._ends()
        self.result.seconds = monotonic() - begun
        return self.result

    def _layer(self, begin: list[tuple[World, int]], faults: int) -> list[tuple[World, int]]:
        """Visit what can be reached without a further fault; return where one more leads."""
        disturbed: dict[World, int] = {}
        waiting: deque[int] = deque()
        for world, parent in begin:
            if world not in self.numbers:
                waiting.append(self._add(world, parent, faults))
        while waiting:
            if len(self.worlds) > self.most:
                self.result.cut = True
                break
            number = waiting.popleft()
            world, undisturbed = self.worlds[number], -1
            for move in self.moves.all(world):
                if move.fault and faults == self.scene.faults:
                    continue
                self.result.transitions += 1
                after = self._judged(number, world, move, faults)
                if move.fault:
                    if after not in self.numbers:
                        disturbed.setdefault(after, number)
                    continue
                found = self.numbers.get(after)
                if found is None:
                    found = self._add(after, number, faults)
                    waiting.append(found)
                if undisturbed < 0 and not move.person:
                    undisturbed = found
                    self.quiet[number], self.ticks[number] = move.wrote < 0, move.name == "time goes on"
            self.undisturbed[number] = undisturbed
        return list(disturbed.items())

    def _add(self, world: World, parent: int, faults: int) -> int:
        number = self.numbers[world] = len(self.worlds)
        self.worlds.append(world)
        self.parent.append(parent)
        self.faults.append(faults)
        self.depth.append(self.depth[parent] + 1 if parent >= 0 else 0)
        self.undisturbed.append(-1)
        self.quiet.append(1)
        self.ticks.append(0)
        if wrong := self.judge.violation(world, faults):
            self._note(wrong, number)
        return number

    def _judged(self, number: int, before: World, move: Move, faults: int) -> World:
        after = self.judge.noted(move.world)
        if move.wrote >= 0:
            moved = move._replace(world=after)
            if wrong := self.judge.wrong_move(before, moved):
                self._note(wrong, number, faults + move.fault)
        return after

    def _note(self, wrong: str, number: int, faults: int | None = None) -> None:
        self.result.violations[wrong] += 1
        self._example(wrong, number, self.faults[number] if faults is None else faults)

    def _example(self, wrong: str, number: int, faults: int) -> None:
        if wrong not in self.result.fewest or faults < self.result.fewest[wrong]:
            self.result.fewest[wrong] = faults
            self.result.examples[wrong] = self.way(number)

    def way(self, number: int) -> list[str]:
        """The moves that lead to a state."""
        way = [number]
        while self.parent[way[-1]] >= 0:
            way.append(self.parent[way[-1]])
        numbers = list(reversed(way))
        return [self._name(before, after) for before, after in pairwise(numbers)]

    def _name(self, before: int, after: int) -> str:
        goal = self.worlds[after]
        return next(m.name for m in self.moves.all(self.worlds[before]) if self.judge.noted(m.world) == goal)

    def _ends(self) -> None:
        """Follow the undisturbed run from each state to the circle that it ends in, and judge that."""
        ends: list[str | None] = [None] * len(self.worlds)
        for start in range(len(self.worlds)):
            way, at = [], start
            on_way: dict[int, int] = {}
            while ends[at] is None and at not in on_way:
                on_way[at] = len(way)
                way.append(at)
                at = self.undisturbed[at]
            end = ends[at]
            if end is None:
                end = self._circle(way[on_way[at] :])
                self.result.rests[end] += 1
            for number in way:
                ends[number] = end
            if end != "right":
                self._example(end, start, self.faults[start])
        self.result.ends = Counter(end for end in ends if end)

    def _circle(self, circle: list[int]) -> str:
        """What is to be said of a circle: time goes on, lists are made, and nothing else may happen."""
        resting = [number for number in circle if self.ticks[number]]
        if not resting:
            return "livelock"
        said = {self.judge.rest(self.worlds[number]) for number in resting}
        if said != {"right"}:
            return min(said - {"right"})
        return "right" if all(self.quiet[number] for number in circle) else "not quiet"
