"""``/livez``, ``/readyz`` and ``/metrics``, served from a thread of their own.

A loop that is stuck answers nothing at all; a thread beside it can say so, and say which.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type and body."""

Page = Callable[[], Answer]
"""Called in any thread."""

BEAT = 1.0
_POLL = 0.1


class ListenError(Exception):
    """An address cannot be listened on; says why, and what to do."""


class Pulse:
    """The newest sign of life of an event loop; read it from any thread."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def show(self) -> None:
        """Show life; called in the loop to watch, every ``BEAT`` seconds."""
        self._at = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the newest sign."""
        return time.monotonic() - self._at


def text(status: HTTPStatus, words: str) -> Answer:
    """Make the answer of a page of words."""
    return status, "text/plain; charset=utf-8", words.encode()


@contextmanager
def serving(listen: str, pages: Mapping[str, Page]) -> Iterator[str]:
    """Serve pages by path.

    Args:
        listen: ``host:port``; port 0 is a free one.
        pages: what is at each path.

    Yields:
        The address, such as ``http://127.0.0.1:8090``.

    Raises:
        ListenError: the address cannot be listened on.
    """
    host, _, port = listen.rpartition(":")
    kind = _Server6 if ":" in host else _Server
    try:
        server = kind((host.strip("[]"), int(port)), _Handler)
    except OSError as error:
        raise ListenError(f"cannot listen on {listen} ({error.strerror}); give another address with --listen") from None
    server.set_app(_application(pages))
    thread = Thread(target=server.serve_forever, args=(_POLL,), name="probes", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _application(pages: Mapping[str, Page]) -> Callable[[WSGIEnvironment, StartResponse], list[bytes]]:
    def answer(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        page = pages.get(environ["PATH_INFO"])
        status, kind, body = page() if page else text(HTTPStatus.NOT_FOUND, "there is no such page")
        start(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking the DNS for the host's name, as the base class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's signature
        """Probes are not worth a line each."""
