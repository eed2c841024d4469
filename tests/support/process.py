"""The operator as a real process, to start, stop and kill."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, Process, free_ports

_UNCLEAN = ("Traceback", "Unclosed", "was never awaited", "was destroyed but it is pending")


class OperatorProcess:
    """``imagesource-operator run`` against a cluster, started and stopped as often as a test likes.

    Args:
        cluster: Its operator user runs it.
        folder: For the log and the embedded platform's database, which outlive a restart.
        flags: Further flags of ``run``, such as ``--namespace``.

    Attributes:
        address: ``host:port`` of ``/livez``, ``/readyz`` and ``/metrics``.
        log: The log file of all starts together.
    """

    def __init__(self, cluster: Cluster, folder: Path, *flags: str) -> None:
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.log = folder / "operator.log"
        self.database = f"sqlite:///{folder / 'embedded.db'}"
        self._flags = flags
        self._env = os.environ | {"KUBECONFIG": str(cluster.operator_kubeconfig), "PYTHONUNBUFFERED": "1"}
        self._process: Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process(self) -> Process:
        """The process of the last start."""
        assert self._process is not None, "the operator was never started"
        return self._process

    def start(self, *flags: str, ready: bool = True) -> None:
        """Starts it, with further flags for this time, and waits until ``/readyz`` says yes unless told otherwise."""
        self.close()
        argv = [sys.executable, "-m", "imagesources", "run", "--allow-http", "--listen", self.address]
        database = ["--embedded-database", self.database]
        self._process = Process([*argv, *database, *self._flags, *flags], log=self.log, env=self._env)
        if ready:
            wait_for(self.is_ready, timeout=60, what=f"the operator to be ready; its log: {self.log}")

    def is_ready(self) -> bool:
        """Whether ``/readyz`` answers 200 now; a process that has ended is a failure at once."""
        if self.process.code is not None:
            raise RuntimeError(f"The operator ended with {self.process.code}:\n{self.process.tail(40)}")
        return self.answers("/readyz")

    def answers(self, path: str) -> bool:
        """Whether an endpoint answers 200 now."""
        return answers(self.address, path)

    def metrics(self) -> str:
        """What ``/metrics`` says now."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def kill(self) -> None:
        """Ends it by SIGKILL, as a lost machine would."""
        self.process.kill()

    def stop(self, within: float = 15.0) -> None:
        """Ends it by SIGTERM and asserts that it ends in time, with exit code 0 and nothing left open."""
        self.process.send(signal.SIGTERM)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {within:g} s after SIGTERM:\n{self.process.tail(40)}") from None
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.process.tail(40)}"
        text = self.log.read_text()
        assert not [word for word in _UNCLEAN if word in text], self.process.tail(60)

    def close(self) -> None:
        """Ends it in whatever state it is."""
        if self._process is not None:
            self._process.kill()


def answers(address: str, path: str) -> bool:
    """Whether a server answers 200 now."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def processes_with(argument: str) -> list[str]:
    """The command lines of all processes that hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if argument in line]
