"""Ports for the servers of a control plane and of the tests."""

import itertools
import random
import socket
import threading

_BELOW_EPHEMERAL = range(20_000, 32_000)
_IN_TURN = itertools.cycle(random.sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL)))
_LOCK = threading.Lock()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that are free now.

    They lie below the ones that a system hands out by itself (from 32768 on Linux, 49152 on macOS): no outgoing
    connection takes one between this answer and the server that listens there. No two answers of a process name the
    same port, until all have had their turn.
    """
    with _LOCK:
        free = (port for port in _IN_TURN if _is_free(port))
        return [next(free) for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
