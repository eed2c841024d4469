"""Every pair of faults: ``python -m tests.simulation.pairs``; with ``--triples``, three for create and for delete.

A pair is two faults, each a kind at a site, in their order: the second happens at its first occasion after the first.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from tests.simulation.faults import FAULTS
from tests.simulation.play import play
from tests.simulation.report import Report, spread
from tests.simulation.scenarios import CANONICAL, FURTHER
from tests.simulation.schedule import Plan, Planned

Case = tuple[str, tuple[Planned, ...]]
"""A scenario, and the faults in it, in their order."""

ALL: tuple[Planned, ...] = tuple((site, fault) for site, faults in FAULTS.items() for fault in faults)
"""Every kind of fault at every site."""

SCENARIOS = CANONICAL | FURTHER


def try_all(cases: Sequence[Case]) -> Report:
    """Run cases; those whose faults all happen are covered, and with them what can come next."""
    logging.disable(logging.CRITICAL)
    report = Report()
    for case in cases:
        name, faults = case
        scenario = SCENARIOS[name]
        plan = Plan(faults, scenario.standing)
        try:
            report.add(play(plan, scenario.act))
        except Exception as error:  # whatever ends a run is a finding
            report.found((name, *(f"{fault} at {site}" for site, fault in faults)), error)
        if not plan.planned:
            report.covered[case] = tuple(plan.occasions[-1])
    return report


def all_pairs(jobs: int, *, everywhere: bool = False) -> Report:
    """Run every pair in the first scenario in which it can happen; or in each of the canonical ones."""
    whole = spread(try_all, [(name, (first,)) for name in SCENARIOS for first in ALL], jobs)
    cases, known = [], set()
    for (name, (first,)), sites in whole.covered.items():
        for second in (second for site in sites for second in ALL if second[0] is site):
            if (first, second) not in known or (everywhere and name in CANONICAL):
                known.add((first, second))
                cases.append((name, (first, second)))
    whole.follow(spread(try_all, cases, jobs))
    return whole


def all_triples(jobs: int) -> Report:
    """Run every triple that can happen when a source is created or deleted."""
    whole = spread(try_all, [(name, (first,)) for name in ("create", "delete") for first in ALL], jobs)
    for _ in range(2):
        cases = [
            (name, (*faults, following)) for (name, faults), sites in whole.covered.items()
            for site in sites for following in ALL if following[0] is site
        ]  # fmt: skip
        whole.covered.clear()
        whole.follow(spread(try_all, cases, jobs))
    return whole


def uncovered(report: Report) -> list[tuple[Planned, Planned]]:
    """List the pairs that have not happened."""
    happened = {faults for _, faults in report.covered}
    return [(first, second) for first in ALL for second in ALL if (first, second) not in happened]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--triples", action="store_true", help="three faults, for create and delete")
    parser.add_argument("--everywhere", action="store_true", help="each pair in each canonical scenario")
    arguments = parser.parse_args()
    if arguments.triples:
        report = all_triples(arguments.jobs)
    else:
        report = all_pairs(arguments.jobs, everywhere=arguments.everywhere)
    print(report.text())
    if not arguments.triples:
        missing = uncovered(report)
        print(f"{len(ALL)} faults, {len(ALL) ** 2} pairs, {len(missing)} did not happen")
        for first, second in missing[:40]:
            print("  never:", *first, "then", *second)
    for name, what in report.violations[:20]:
        print(*name, what, sep="; ")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
