"""The list of mutants cannot rot: each one still applies to the package as it is."""

from collections import Counter

import pytest
from tests.mutants.catalogue import LIST, Mutant, mutants
from tests.mutants.trial import ROOT


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_mutant_applies(mutant: Mutant) -> None:
    """The text that a mutant changes stands just once in its file, and what comes of it is Python."""
    text = (ROOT / "operator" / "imagesources" / mutant.file).read_text(encoding="utf-8")
    compile(mutant.applied(text), mutant.file, "exec")


def test_every_mutant_is_read() -> None:
    """No mutant is missed for its form, and no two are the same change or have the same name."""
    files = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line.endswith(".py")]
    assert len(mutants()) == len(files) >= 40
    for what in (lambda mutant: mutant.name, lambda mutant: mutant[1:]):
        assert [found for found, count in Counter(map(what, mutants())).items() if count > 1] == []
