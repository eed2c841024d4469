"""``/livez`` says no when something in the process is stuck, and yes whatever happens outside of it."""

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.proxy import HANGING
from tests.support.scene import Scene, scene
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

_FAULTS = '''
import asyncio, gc, signal, sys, threading, time

def strike(thread, callback, *args):
    """Does something in the event loop of a thread."""
    (ident,) = [each.ident for each in threading.enumerate() if each.name == thread]
    for loop in gc.get_objects():
        if isinstance(loop, asyncio.BaseEventLoop) and loop._thread_id == ident:
            loop.call_soon_threadsafe(callback, *args)

signal.signal(signal.SIGUSR1, lambda *_: strike("MainThread", time.sleep, 3600))
signal.signal(signal.SIGUSR2, lambda *_: strike("kopf", time.sleep, 3600))
signal.signal(signal.SIGHUP, lambda *_: strike("kopf", sys.exit))
'''
"""Loaded by the operator's Python at its start: faults from outside, as the operator itself has none to offer."""


@pytest.fixture
def stage(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Scene]:
    """An operator that can be struck, and notices it soon."""
    faults = tmp_path / "faults"
    faults.mkdir()
    faults.joinpath("sitecustomize.py").write_text(_FAULTS)
    flags = ("--loop-limit=10", "--pass-limit=3")
    with scene(control_plane.cluster, tmp_path, *flags, proxied=True) as found:
        found.operator._env = found.operator._env | {"PYTHONPATH": os.pathsep.join([str(faults), *sys.path])}
        found.operator.start()
        yield found


def _says(stage: Scene) -> str:
    """What ``/livez`` says; the empty text when it is "ok"."""
    try:
        with urllib.request.urlopen(f"http://{stage.operator.address}/livez", timeout=5) as answer:
            assert answer.read() == b"ok"
            return ""
    except urllib.error.HTTPError as refusal:
        with refusal:
            return f"{refusal.status}: {refusal.read().decode()}"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(signal.SIGUSR1, "the operator's loop has shown no life", id="operator stuck"),
        pytest.param(signal.SIGUSR2, "the watch has shown no life", id="kopf stuck"),
    ],
)
def test_stuck(stage: Scene, fault: signal.Signals, message: str) -> None:
    """A loop that turns no more is noticed and named."""
    stage.create("before")
    assert _says(stage) == ""
    stage.operator.process.send(fault)
    assert f"500: {message}" in wait_for(lambda: _says(stage), what="it to be noticed")


def test_kopf_ends(stage: Scene) -> None:
    """When kopf ends, either the watch begins again by itself, or it is noticed: it is never blind and silent."""
    stage.create("before")
    stage.operator.process.send(signal.SIGHUP)
    edits = iter(range(1000))

    def noticed() -> bool:
        """Edits again each time, as one edit may have been seen before the end."""
        if "500: the watch has shown no life" in _says(stage):
            return True
        stage.edit("before", name=f"Edit {(number := next(edits))}")
        return number > 20 and wait_for(lambda: stage.seen("before")["name"] == f"Edit {number}", timeout=2, what="it")

    wait_for(noticed, what="the end to be noticed, or to be over")


def test_a_pass_without_an_end(stage: Scene) -> None:
    """A pass that takes longer than any deadline is noticed, and forgotten when it ends."""
    stage.create("before")
    stage.calls.rule = lambda call: HANGING if call.is_write else None
    stage.edit("before", name="After")
    assert "500: a pass has taken more than 3 s" in wait_for(lambda: _says(stage), what="it to be noticed")
    stage.calls.cut()
    stage.calls.rule = None
    stage.calls.mend()
    wait_for(lambda: _says(stage) == "", what="it to be over")
    stage.ready("before")


def test_others_away(stage: Scene) -> None:
    """A platform and an apiserver that are away, for longer than any limit here, do not make it restart."""
    assert stage.api
    stage.create("before")
    stage.calls.cut()
    stage.api.cut()
    wait_for(lambda: "try 6 of" in stage.operator.log.read_text(), what="many tries")
    assert _says(stage) == ""
    stage.api.mend()
    stage.calls.mend()
    stage.edit("before", name="After")
    stage.ready("before")
    assert _says(stage) == ""
    stage.operator.stop()
