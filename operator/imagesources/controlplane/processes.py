"""Child processes that do not outlive the one who started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# Linux kills the child when the thread that started it ends, even by kill -9 (prctl 1 is PR_SET_PDEATHSIG); the
# check of the parent closes the gap before the call. Elsewhere only a kill -9 of the parent leaves children behind.
# A program of its own, then exec: code between fork and exec in a process with threads may deadlock.
_GUARD = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Process:
    """A program that writes to a log file, in a session of its own, so that a terminal's Ctrl-C does not reach it.

    Start it from a thread that lives as long as the program is to run.

    Args:
        argv: The program and its arguments.
        log: Where standard output and standard error go, appended.
        env: The whole environment; absent: this process's own.
        cwd: The folder to start in; absent: this process's own.
    """

    def __init__(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.log = log
        guard = [sys.executable, "-ISc", _GUARD, str(os.getpid())]
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*guard, *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while the program runs."""
        return self._child.poll()

    def send(self, number: int) -> None:
        """Sends a signal to the program, not to its children; nothing happens when it has ended."""
        self._child.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Waits for the end of the program and returns its exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs after that many seconds.
        """
        return self._child.wait(seconds)

    def kill(self) -> None:
        """Ends the program and what it started, at once (SIGKILL), and waits for its end."""
        if self._child.returncode is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # macOS says so of a group of zombies
                self._child.kill()
            self._child.wait()

    def tail(self, lines: int = 12) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
