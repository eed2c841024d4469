"""The signals that end the demo."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


class Ending:
    """Notes a signal when it comes, and ends the demo where nothing is half-made.

    An exception right from the handler would do so at any place: between the start of a process and the note that it
    runs, so that nobody ends it. From the first signal on Ctrl-C is ignored, by new children too: a second one must
    not cut the clean-up short.
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
            click.echo("\nStopping …", err=True)
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

    def _note(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._number = number
        if self._at_once:
            self.check()
