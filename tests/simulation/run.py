"""Run schedules: ``python -m tests.simulation.run --seeds 0:10000``; for one ``--replay 4711`` or ``--shrink 4711``."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from tests.simulation.play import play
from tests.simulation.report import Report, spread
from tests.simulation.schedule import Schedule
from tests.simulation.shrink import replay_command, shrunk

MOST_RETRIES = 0.1
"""The share of the calls that may be retries (I10), over all schedules."""


def run(seed: int) -> Schedule:
    """Run one random schedule.

    Raises:
        AssertionError: an invariant does not hold.
    """
    return play(Schedule(seed)).schedule


def run_all(seeds: Sequence[int]) -> Report:
    """Run random schedules one after the other."""
    logging.disable(logging.CRITICAL)
    report = Report()
    for seed in seeds:
        schedule = Schedule(seed)
        try:
            report.add(play(schedule))
        except Exception as error:  # whatever ends a run is a finding
            report.found(seed, error)
    return report


def main() -> int:
    """The command."""
    arguments = _arguments()
    left_out = {
        "without_faults": frozenset(map(int, filter(None, arguments.without_faults.split(",")))),
        "without_actions": frozenset(map(int, filter(None, arguments.without_actions.split(",")))),
    }
    if arguments.replay is not None:
        return replay(Schedule(arguments.replay, **left_out))
    if arguments.shrink is not None:
        logging.disable(logging.CRITICAL)
        print(replay_command(shrunk(arguments.shrink)))
        return 0
    seeds = arguments.only or range(*map(int, arguments.seeds.split(":")))
    if arguments.digest:
        logging.disable(logging.CRITICAL)
        print(*(run(seed).digest() for seed in seeds), sep="\n")
        return 0
    report = spread(run_all, seeds, arguments.jobs)
    print(report.text())
    for seed, what in report.violations[:20]:
        print(f"seed {seed}: {what}")
        print(f"  python -m tests.simulation.run --replay {seed}    (or --shrink {seed})")
    if report.share_of_retries > MOST_RETRIES:
        print(f"I10: more than {MOST_RETRIES:.0%} of the calls are retries")
    return 1 if report.violations or report.share_of_retries > MOST_RETRIES else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0:1000", help="FROM:TO")
    parser.add_argument("--only", type=int, nargs="+", help="these seeds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; as many as there are cores")
    parser.add_argument("--digest", action="store_true", help="print what makes each run the same as another")
    parser.add_argument("--replay", type=int, help="run one seed and show what happens")
    parser.add_argument("--shrink", type=int, help="leave out what a failing seed does not need")
    parser.add_argument("--without-faults", default="", help="for a replay: numbers of faults that do not happen")
    parser.add_argument("--without-actions", default="", help="for a replay: what people leave undone")
    return parser.parse_args()


class _Shown(Schedule):
    """A schedule that says what happens."""

    def note(self, *what: object) -> None:
        """See ``Schedule``."""
        print(f"{asyncio.get_running_loop().time():9.3f}", *what)


def replay(schedule: Schedule) -> int:
    """Run one schedule again and show what happens, with the operator's log."""
    logging.basicConfig(level=logging.DEBUG, format="             %(message)s", stream=sys.stdout)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    shown = _Shown(schedule.seed, without_faults=schedule.without_faults, without_actions=schedule.without_actions)
    try:
        play(shown)
    except AssertionError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
