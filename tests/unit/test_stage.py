"""What the demo shows of a watch."""

from pathlib import Path

import pytest

from imagesources.cli.stage import _Rows


def test_rows_that_say_nothing_new_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that differs from the last one of its name in nothing but its age is not shown; others are, once."""
    path = tmp_path / "rows"
    rows = _Rows(path)
    text = "NAME   READY   AGE\nweb    False   1s\napi    False   1s\nweb    False   2s\nweb    True    2s\nweb"
    for end in range(0, len(text), 7):
        path.write_text(text[:end])
        rows.show()
    path.write_text(text)
    rows.show()
    shown = ["NAME   READY   AGE", "web    False   1s", "api    False   1s", "web    True    2s"]
    assert capsys.readouterr().out.splitlines() == shown


def test_rows_without_an_age(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no age, the last column counts too."""
    path = tmp_path / "rows"
    path.write_text("NAME   JOB\nweb    queued\nweb    queued\nweb    running\n")
    _Rows(path).show()
    assert capsys.readouterr().out.splitlines() == ["NAME   JOB", "web    queued", "web    running"]
