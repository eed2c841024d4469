"""kopf as the informer, begun and ended, and with credentials that are not accepted."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from imagesources.kube.watch import Watch
from imagesources.settings import Settings


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Not begun; its kubeconfig is yet to be written."""
    with closing(asyncio.new_event_loop()) as loop:
        yield Watch(str(tmp_path / "kubeconfig"), Settings(), lambda *_: None, loop)


def test_it_ends_while_kopf_still_reads_what_there_is(watch: Watch, tmp_path: Path) -> None:
    """A stop during kopf's start, with requests under way, does not wait for their answers.

    Four seconds, as kopf, told to stop by its flag, waits five for what it left behind.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30.0)
        _write_kubeconfig(tmp_path / "kubeconfig", silent.getsockname()[1])
        watch.start()
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1), "a request"
            watch.stop(4.0)
    assert not watch.is_alive()


def test_credentials_that_are_not_accepted_are_tried_ever_later(
    watch: Watch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An apiserver that answers 401 is asked again after a delay, not at once, and the log says so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as apiserver:
        threading.Thread(target=apiserver.serve_forever).start()
        _write_kubeconfig(tmp_path / "kubeconfig", apiserver.server_port)
        _Refusing.asked = 0
        watch.start()
        wait_for(lambda: caplog.text.count("does not accept the operator's credentials") > 2, what="three warnings")
        asked = _Refusing.asked
        watch.stop(4.0)
        apiserver.shutdown()
    assert not watch.is_alive()
    assert asked < 20, "two for each login; without delays it is hundreds"


class _Refusing(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        """Refuses."""
        type(self).asked += 1
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _write_kubeconfig(path: Path, port: int) -> None:
    content = {
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "here",
    }
    path.write_text(json.dumps(content))
