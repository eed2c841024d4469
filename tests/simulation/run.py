"""Run schedules: ``python -m tests.simulation.run --seeds 0:10000`` or ``--replay 4711``."""

import argparse
import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from time import monotonic

from tests.simulation.loop import VirtualLoop
from tests.simulation.people import act
from tests.simulation.schedule import Schedule
from tests.simulation.world import Runaway, World


def run(seed: int, *, faults: int = 4, rate: float = 0.15) -> Schedule:
    """Run one schedule.

    Raises:
        AssertionError: an invariant does not hold.
    """
    schedule = Schedule(seed, faults_left=faults, rate=rate)
    loop = VirtualLoop()
    try:
        loop.run_until_complete(World(schedule).play(act))
    finally:
        loop.run_until_complete(_settle())
        loop.close()
    return schedule


async def _settle() -> None:
    """Let what was cancelled end."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def failures(seeds: Iterable[int]) -> list[tuple[int, str]]:
    """Run many, and return the seeds that break an invariant, with what broke."""
    logging.disable(logging.CRITICAL)
    found = []
    for seed in seeds:
        try:
            run(seed)
        except (Exception, Runaway) as error:  # whatever ends a run is a finding
            found.append((seed, f"{type(error).__name__}: {error}"))
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0:1000", help="FROM:TO")
    parser.add_argument("--only", type=int, nargs="+", help="these seeds")
    parser.add_argument("--replay", type=int, help="run one seed and show what happens")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets of words is part of a schedule
        command = [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})
    if arguments.replay is not None:
        return replay(arguments.replay)
    seeds = arguments.only or range(*map(int, arguments.seeds.split(":")))
    begun = monotonic()
    step = max(1, min(200, len(seeds) // arguments.jobs))
    chunks = [seeds[at : at + step] for at in range(0, len(seeds), step)]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        found = [failure for part in pool.map(failures, chunks) for failure in part]
    for seed, what in found[:20]:
        print(f"seed {seed}: {what}")
    print(f"{len(seeds)} schedules, {len(found)} violations, {monotonic() - begun:.0f} s")
    return 1 if found else 0


def replay(seed: int) -> int:
    """Run one schedule again, with the operator's log and the faults."""
    logging.basicConfig(level=logging.DEBUG, format="%(message)s", stream=sys.stdout)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    schedule = Schedule(seed)
    loop = VirtualLoop()
    factory = logging.getLogRecordFactory()

    def timed(*args: object, **more: object) -> logging.LogRecord:
        record = factory(*args, **more)
        record.msg = f"{loop.time():9.3f} {getattr(record, 'source_name', '')} {record.msg}"
        return record

    logging.setLogRecordFactory(timed)
    try:
        loop.run_until_complete(World(schedule).play(act))
    except (Exception, Runaway):
        traceback.print_exc()
        return 1
    finally:
        for fault in schedule.drawn:
            print(*fault)
    return 0


if __name__ == "__main__":
    sys.exit(main())
