"""The benchmark's command works; its figures are for people."""

import re

import pytest
from tests.benchmark.cases import cases
from tests.benchmark.lists import main

QUICK = ["--sources", "60", "--seconds", "0", "--rounds", "1"]


@pytest.mark.parametrize("flags", [[], ["--postgresql", "--only", "first page"]], ids=["sqlite", "postgresql"])
def test_prints_each_case_beside_the_floor(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each case that was asked for is answered and printed with its rate, that of the floor, and their ratio."""
    main([*QUICK, *flags])
    printed = capsys.readouterr().out
    wanted = [case.name for case in cases(60) if not flags or flags[-1] in case.name]
    assert re.findall(r"^(.+?) +\d+ +\d+ +\d+\.\d{3} +\d+\.\d\d +\d+\.\d$", printed, re.MULTILINE) == wanted
