"""Log lines for people and for machines."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagesources.telemetry import log, set_up_logging


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
