"""Log lines for people and for machines, and the metrics' names."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from imagesources.telemetry import log, observe_call, set_up_logging


@pytest.fixture
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Gives the test a root logger without handlers, and restores handlers and levels after it."""
    monkeypatch.setattr(logging.root, "handlers", [])
    names = (None, "imagesources", "imagesources.embedded", "kopf", "kopf._core.reactor.running")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


Stderr = pytest.CaptureFixture[str]


def fail() -> None:
    """Logs an exception."""
    try:
        int("broken")
    except ValueError:
        log.exception("a pass failed")


@pytest.mark.usefixtures("logging_of_its_own")
def test_text_line(capsys: Stderr) -> None:
    """A line has time, level, message and the fields that are given, in their order, and no others."""
    set_up_logging()
    log.info("created", extra={"source_name": "web", "namespace": "shop", "reason": None, "password": "s3cret"})
    line = capsys.readouterr().err.rstrip("\n")
    time, rest = line.split(" ", 1)
    assert rest == "INFO    created namespace=shop source_name=web"
    assert time.endswith("+00:00")


@pytest.mark.usefixtures("logging_of_its_own")
def test_json_line(capsys: Stderr) -> None:
    """As JSON each line is one object, whatever is in it."""
    set_up_logging(as_json=True)
    extra = {"hub": ("Hub", "shop", "default"), "seconds": 1.5, "reason": None, "source": Path("a")}
    log.warning("two\nlines", extra=extra)
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert said.pop("time").endswith("+00:00")
    shown = {"hub": ["Hub", "shop", "default"], "seconds": 1.5, "source": "a"}
    assert said == {"level": "warning", "message": "two\nlines", **shown}


@pytest.mark.usefixtures("logging_of_its_own")
@pytest.mark.parametrize("as_json", [False, True])
def test_exception(capsys: Stderr, as_json: bool) -> None:
    """An exception is part of its line as JSON, and follows it in text."""
    set_up_logging(as_json=as_json)
    fail()
    lines = capsys.readouterr().err.splitlines()
    text = json.loads(lines[0])["error"] if as_json else "\n".join(lines[1:])
    assert text.startswith("Traceback")
    assert text.endswith("invalid literal for int() with base 10: 'broken'")
    assert len(lines) == 1 or not as_json


@pytest.mark.usefixtures("logging_of_its_own")
@pytest.mark.parametrize(
    ("name", "level", "shown"),
    [
        pytest.param("imagesources", logging.INFO, {False: True, True: True}, id="steps"),
        pytest.param("imagesources", logging.DEBUG, {False: False, True: True}, id="details"),
        pytest.param("imagesources.embedded", logging.INFO, {False: False, True: True}, id="the embedded platform"),
        pytest.param("kopf.objects", logging.INFO, {False: False, True: False}, id="kopf's chatter"),
        pytest.param("aiohttp.access", logging.INFO, {False: False, True: False}, id="other libraries"),
        pytest.param("aiohttp.access", logging.WARNING, {False: True, True: True}, id="their warnings"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_levels(name: str, level: int, shown: dict[bool, bool], debug: bool) -> None:
    """The operator's own steps are shown; libraries are heard from WARNING on."""
    set_up_logging(debug=debug)
    assert logging.getLogger(name).isEnabledFor(level) is shown[debug]


def test_observe_call() -> None:
    """A request is counted by operation and outcome, and its duration by operation."""

    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    labels = {"operation": "getImageSources", "code": "404.test"}
    calls, seconds = (
        value("imagesource_platform_calls_total", **labels),
        value("imagesource_platform_call_seconds_sum", operation="getImageSources"),
    )
    observe_call("getImageSources", "404.test", 0.25)
    assert value("imagesource_platform_calls_total", **labels) == calls + 1
    assert value("imagesource_platform_call_seconds_sum", operation="getImageSources") == seconds + 0.25
