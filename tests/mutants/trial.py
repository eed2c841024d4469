"""One mutant on trial: a copy of the package with the change, and the tests that are to find it, fast ones first.

It runs in a process of its own, forked from one that has imported the libraries already, and works on a scratch copy.
"""

import contextlib
import importlib
import io
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

import pytest
from tests.mutants.catalogue import Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("operator", "tests/unit", "tests/support", "tests/simulation")
"""What unit tests and simulator need."""

OF_THE_ENGINE = (
    "brake", "budget", "cache", "desired", "differences", "directory", "engine", "events", "execute", "failures",
    "guard", "handlers", "hub_connection", "hub_controller", "inventory", "lists", "merge_patch", "observe", "plan",
    "port", "queue", "secrets", "status",
)  # fmt: skip
"""How the names of the unit tests begin that concern the engine."""

SEEDS = range(1_000_000, 1_000_150)
"""Schedules that the simulator runs, before each single fault in each canonical scenario."""

LONGEST = 120
"""Seconds of processor time after which a trial ends: the mutant made something go on for ever."""


class _Endless(BaseException):
    """Nothing in the operator may catch that."""


class _FirstFailure:
    """Remembers which test failed first."""

    def __init__(self) -> None:
        self.test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Told of each test."""
        if report.failed and not self.test:
            self.test = report.nodeid.removeprefix("tests/")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Told of each file."""
        if report.failed and not self.test:
            self.test = f"{report.nodeid} cannot be collected"


def try_out(mutant: Mutant | None, source: Path = ROOT, *, by_units: bool = True) -> tuple[str, float]:
    """Put a mutant on trial; without one the tests themselves are, which must not find anything.

    Args:
        mutant: what is changed.
        source: the tree to take everything from.
        by_units: whether the unit tests may find it, or the simulator alone.

    Returns:
        The test that has caught it, or "", and how many seconds it took.
    """
    begun = monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    try:
        with _time_limit():
            _prepare(folder, mutant, source)
            caught_by = (_by_unit_tests(folder, mutant) if by_units else "") or _by_simulation()
    except _Endless:
        caught_by = f"it does not end within {LONGEST} s"
    finally:
        os.chdir(source)
        shutil.rmtree(folder)
    return caught_by, monotonic() - begun


def _prepare(folder: Path, mutant: Mutant | None, source: Path) -> None:
    """Copy, change, and make this process forget what it has imported of the original."""
    for part in COPIED:
        shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(source / file, folder / file)
    if mutant:
        file = folder / "operator" / "imagesources" / mutant.file
        file.write_text(mutant.applied(file.read_text()))
    os.chdir(folder)
    sys.path[:] = [str(folder / "operator"), str(folder), *(p for p in sys.path if Path(p or ".").resolve() != source)]
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "imagesources")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _by_unit_tests(folder: Path, mutant: Mutant | None) -> str:
    """The unit tests of the changed module, then those of the whole engine."""
    beginnings = tuple(f"test_{name}" for name in OF_THE_ENGINE)
    files = [file for file in sorted((folder / "tests/unit").glob("test_*.py")) if file.stem.startswith(beginnings)]
    own = Path(mutant.file).stem if mutant else "-"
    near = [file for file in files if file.stem.startswith(f"test_{own}")]
    return _pytest(folder, near) or _pytest(folder, [file for file in files if file not in near])


def _pytest(folder: Path, files: list[Path]) -> str:
    """Run tests until one fails, and name that."""
    if not files:
        return ""
    first = _FirstFailure()
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=300", "--rootdir", str(folder)]
    with _silence():
        code = pytest.main([*options, *map(str, files)], plugins=[first])
    return first.test or ("" if code == pytest.ExitCode.OK else f"pytest ends with {code}")


def _by_simulation() -> str:
    """Random schedules and single faults, until one breaks an invariant."""
    logging.disable(logging.CRITICAL)
    run: Any = importlib.import_module("tests.simulation.run").run
    for seed in SEEDS:
        try:
            with _silence():
                run(seed)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever ends a run is a finding
            return f"simulation, seed {seed}: {str(error)[:60]}"
    pairs: Any = importlib.import_module("tests.simulation.pairs")
    for name in pairs.CANONICAL:
        for fault in pairs.ALL:
            if found := pairs.try_all([(name, (fault,))]).violations:
                return f"simulation, {name}, {': '.join(fault)}: {found[0][1][:60]}"
    return ""


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _Endless

    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    nothing = io.StringIO()
    with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        yield
