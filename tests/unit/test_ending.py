"""How a command learns that it is to stop."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

from imagesources.cli.ending import Stop

_ROUNDS = 400
_PROGRAM = f"""
import asyncio, signal
from imagesources.cli.ending import Stop
for number in (signal.SIGINT, signal.SIGTERM):  # those that are late for a round
    signal.signal(number, signal.SIG_IGN)
for _ in range({_ROUNDS}):
    with Stop() as stop:
        print("waits", flush=True)
        asyncio.run(asyncio.to_thread(stop.wait))
"""


def test_no_signal_is_lost() -> None:
    """Two signals close together, while a thread begins to wait, end the wait each time."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        stuck = threading.Timer(60, program.kill)
        stuck.start()
        assert program.stdout is not None
        rounds = 0
        for rounds, _ in enumerate(program.stdout, 1):  # noqa: B007 - how far it came
            os.kill(program.pid, signal.SIGINT)
            os.kill(program.pid, signal.SIGTERM)
        stuck.cancel()
    assert (rounds, program.returncode) == (_ROUNDS, 0)


def test_other_signals_do_not_stop() -> None:
    """A signal that another part of the process has a handler for is no wish to stop."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with Stop() as stop:
            waiting = threading.Thread(target=stop.wait)
            waiting.start()
            os.kill(os.getpid(), signal.SIGUSR1)
            waiting.join(0.2)
            assert waiting.is_alive()
            stop.now()
            waiting.join(10)
            assert not waiting.is_alive()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_now_is_as_a_signal() -> None:
    """A command can wish to stop by itself; afterwards signals are handled as before."""
    before = signal.getsignal(signal.SIGTERM)
    with Stop() as stop:
        stop.now()
        asyncio.run(asyncio.to_thread(stop.wait))
    assert signal.getsignal(signal.SIGTERM) == before
