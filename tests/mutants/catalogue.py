"""Reads the list of mutants, ``mutants.txt``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("mutants.txt")

_MUTANT = re.compile(r"^(?P<breaks>\S.*)\n(?P<file>[\w/]+\.py)\n(?P<old>(?:-.*\n)+)(?P<new>(?:\+.*\n)*)", re.MULTILINE)


class Mutant(NamedTuple):
    """One change.

    Attributes:
        breaks: what is wrong then.
        file: below ``operator/imagesources``.
        old: the text as it is; it stands there once.
        new: the text instead.
    """

    breaks: str
    file: str
    old: str
    new: str

    @property
    def name(self) -> str:
        """What is wrong, and where."""
        return f"{Path(self.file).stem}: {self.breaks}"

    def applied(self, text: str) -> str:
        """The file's text with the change.

        Raises:
            ValueError: the old text does not stand there just once.
        """
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: the old text stands {found} times in {self.file}")
        return text.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """All mutants, in the order of the list."""
    return list(_read(LIST.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[Mutant]:
    for found in _MUTANT.finditer(text):
        yield Mutant(found["breaks"], found["file"], _plain(found["old"]), _plain(found["new"]))


def _plain(lines: str) -> str:
    return "\n".join(line[1:] for line in lines.splitlines())
