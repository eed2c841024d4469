"""Fixtures around one real control plane per run, and the rule that no test is skipped."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from tests.support.cluster import Kubectl, Writes, install_crds, new_namespace
from tests.support.process import OperatorProcess

from imagesources.controlplane import ControlPlane, ControlPlaneError, Programs, find_programs

_PROGRAMS = pytest.StashKey[Programs]()
_SELECTIONS = ("-k", "-m", "--deselect", "--lf", "--last-failed", "--sw", "--stepwise")

hypothesis.settings.register_profile("steady", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("steady")  # a loaded machine is no failure


def pytest_configure() -> None:
    """Lets Ctrl-C end what tests start, also where a shell runs the tests in its background and ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Turns a skipped or expectedly failing test into a failure: what did not run was not shown to work."""
    report = yield
    if report.skipped or hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"Tests are not skipped here: {report.longrepr}"
        report.__dict__.pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Turns a module that skips itself into a failure."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"Tests are not skipped here: {report.longrepr}"
    return report


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Allows a selection on the command line only, never one in a file or the environment."""
    asked = items and items[0].config.invocation_params.args
    if items and not any(str(argument).startswith(_SELECTIONS) for argument in asked):
        raise pytest.UsageError(f"{len(items)} tests were deselected: {items[0].nodeid} …")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Finds or builds the control plane's programs before the first test, whose time limit a build would exceed."""
    needed = any("control_plane" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not session.config.option.collectonly:
        try:
            session.config.stash[_PROGRAMS] = find_programs(lambda line: print(line, flush=True))
        except ControlPlaneError as error:
            raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """A control plane of this run's own, with the CRDs."""
    with ControlPlane(pytestconfig.stash[_PROGRAMS]) as running:
        install_crds(running.cluster)
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A new namespace; it stays, as no controller would empty it."""
    return new_namespace(control_plane.cluster)


@pytest.fixture
def kubectl(control_plane: ControlPlane, namespace: str) -> Kubectl:
    """Runs kubectl as the administrator, in the test's namespace."""
    return Kubectl(control_plane.cluster, namespace)


@pytest.fixture
def writes(control_plane: ControlPlane, namespace: str) -> Writes:
    """Reads the writes to the test's namespace from the audit log."""
    return Writes(control_plane.cluster, namespace)


@pytest.fixture
def operator(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator as a process of its own, for the test's namespace; not started yet, ended with the test."""
    with OperatorProcess(control_plane.cluster, tmp_path, "--namespace", namespace) as process:
        yield process


@pytest.fixture
def another_operator(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """Makes further operators, each with flags of its own and a folder named by the test."""
    made: list[OperatorProcess] = []

    def make(folder: str, *flags: str) -> OperatorProcess:
        tmp_path.joinpath(folder).mkdir()
        made.append(OperatorProcess(control_plane.cluster, tmp_path / folder, *flags))
        return made[-1]

    yield make
    for process in made:
        process.close()
