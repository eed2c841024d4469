"""The operator as a real process without Python's start: forked from a server that has imported everything.

A start costs a tenth of what it costs otherwise, so that hundreds of operators can be killed in a test run.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

from imagesources.cli import main

_FORKING = multiprocessing.get_context("forkserver")
_LATE = [f"kubernetes.aio.client.api.{name}_api" for name in ("core_v1", "custom_objects", "events_v1")]
"""What the operator's Kubernetes client imports when it is first used, with some hundred modules."""

_FORKING.set_forkserver_preload(["pytest", "imagesources.cli.run", "imagesources.app", *_LATE])
_PR_SET_PDEATHSIG = 1
_TURN = threading.Lock()
"""Held while processes are looked at: a start looks at all, and of two looks at once one loses the exit code."""


class ForkedOperator:
    """``imagesource-operator run``, once.

    Args:
        log: where standard output and standard error go, appended.
        argv: the arguments of ``run``.

    Attributes:
        pid: of the process.
    """

    def __init__(self, log: Path, *argv: str) -> None:
        self._process = _FORKING.Process(target=_run, args=(str(log), argv), daemon=True)
        with _TURN:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def kill(self) -> None:
        """Ends it by SIGKILL, as a lost machine would; returns at once, and from any thread."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> int | None:
        """Waits for its end and returns the exit code, negative for a signal; None: it still runs."""
        until = time.monotonic() + seconds
        while True:
            with _TURN:
                code = self._process.exitcode
            if code is not None or time.monotonic() >= until:
                return code
            time.sleep(0.02)


def _run(log: str, argv: tuple[str, ...]) -> None:
    """Runs in the forked process, which ends with the server that forked it, and so with the tests."""
    os.closerange(3, 1024)  # among them is one that keeps the server alive, which would never end then
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    main(["run", *argv])
