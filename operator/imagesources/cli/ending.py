"""The signals that end a command."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Self

_STDERR = 2


class Stop:
    """Within its context SIGTERM and SIGINT are a wish to stop, which a command waits for.

    The interpreter writes each signal into a pipe, wherever its threads are. A handler in Python would run when the
    main thread next comes to it: never, where the signal came just before a wait for a lock; or amid a call of its own
    for the signal before, which ``threading.Event.set`` does not survive. asyncio shares its pipe with all its work: a
    burst fills it, and then the signal is lost.
    """

    _NUMBERS = (signal.SIGTERM, signal.SIGINT)

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._woken = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._handlers = [signal.signal(number, lambda *_: None) for number in self._NUMBERS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in zip(self._NUMBERS, self._handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken)
        os.close(self._read)
        os.close(self._write)

    def wait(self) -> None:
        """Wait for a signal, in any thread, or for ``now``."""
        while os.read(self._read, 1)[0] not in self._NUMBERS:  # another signal with a handler
            pass

    def now(self) -> None:
        """The command itself wishes to stop."""
        os.write(self._write, bytes([signal.SIGTERM]))


class Ending:
    """Notes a signal when it comes, and ends the demo where nothing is half-made.

    An exception right from the handler would do so at any place: between the start of a process and the note that it
    runs, so that nobody ends it. From the first signal on Ctrl-C is ignored: a second one must not cut the clean-up
    short.
    """

    def __init__(self) -> None:
        self._number = 0
        self._at_once = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def check(self) -> None:
        """End if a signal has come.

        Raises:
            SystemExit: One has.
        """
        if self._number:
            sys.exit(128 + self._number)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While something long runs that leaves nothing behind, a signal ends it right away."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def shield(self) -> None:
        """Ctrl-C is ignored from now on, by new children too."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.shield()
        if not self._number:
            with suppress(OSError):  # the terminal may be what is gone
                os.write(_STDERR, "\nStopping …\n".encode())
        self._number = number
        if self._at_once:
            self.check()
