"""Put every mutant on trial: ``python -m tests.mutants``; ``--only TEXT`` takes those whose name has that text.

``--simulator`` leaves the unit tests out, and counts what the simulator catches alone; that takes longer.
"""

import argparse
import importlib
import multiprocessing
import os
import sys
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tests.mutants.catalogue import Mutant, mutants
from tests.mutants.trial import ROOT, try_out

LIBRARIES = ("aiohttp", "kopf", "kubernetes.aio.client", "prometheus_client", "pydantic", "yaml")
"""Imported once, for all trials."""


class Verdict(NamedTuple):
    """What came of a trial.

    Attributes:
        mutant: None: the tests were run on the package as it is.
        caught_by: the test, or "" for a survivor.
        seconds: how long it took.
    """

    mutant: Mutant | None
    caught_by: str
    seconds: float


def main() -> int:
    """The command: 0 if all are caught."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--source", type=Path, default=ROOT, help="another tree to take the package from")
    parser.add_argument("--simulator", action="store_true", help="what the simulator catches alone")
    arguments = parser.parse_args()
    for library in LIBRARIES:
        importlib.import_module(library)
    begun = monotonic()
    chosen = [mutant for mutant in mutants() if arguments.only in mutant.name]
    whole = [] if arguments.only else [None]
    trials = [(mutant, arguments.source, not arguments.simulator) for mutant in whole + chosen]
    with multiprocessing.get_context("fork").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        results = pool.imap(_try, trials, chunksize=1)
        verdicts = [show(Verdict(mutant, *result)) for (mutant, *_), result in zip(trials, results, strict=True)]
    return conclude(verdicts, monotonic() - begun)


def _try(trial: tuple[Mutant | None, Path, bool]) -> tuple[str, float]:
    mutant, source, by_units = trial
    return try_out(mutant, source, by_units=by_units)


def show(verdict: Verdict) -> Verdict:
    """Print a line of the table."""
    name, missed = (verdict.mutant.name, "SURVIVES") if verdict.mutant else ("no mutant at all", "all tests pass")
    print(f"{verdict.seconds:6.1f} s  {name:70}  {verdict.caught_by or missed}", flush=True)
    return verdict


def conclude(verdicts: list[Verdict], seconds: float) -> int:
    """Print the sum, and say whether all is well."""
    false_alarm = [v for v in verdicts if not v.mutant and v.caught_by]
    on_trial = [v for v in verdicts if v.mutant]
    survivors = [v for v in on_trial if not v.caught_by]
    by_units = sum(v.caught_by.startswith("unit/") for v in on_trial)
    print(f"{len(on_trial)} mutants, {len(on_trial) - len(survivors)} caught ({by_units} by unit tests, the others by "
          f"simulation), {len(survivors)} survive, {seconds:.0f} s")  # fmt: skip
    for verdict in false_alarm:
        print(f"The tests fail without any mutant: {verdict.caught_by}")
    return 1 if survivors or false_alarm else 0


if __name__ == "__main__":
    sys.exit(main())
