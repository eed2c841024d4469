"""Label selectors, as ``kubectl --selector`` takes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY: Final = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}"
_VALUE: Final = rf"(?:{_NAME})?"
_REQUIREMENT: Final = re.compile(
    rf"\s*(?:(?P<absent>!)\s*)?(?P<key>{_KEY})\s*"
    rf"(?:(?P<set>(?:not)?in)\s*\((?P<values>[^()]*)\)|(?P<sign>!=|==?)\s*(?P<value>{_VALUE}))?\s*(?:,(?=.)|$)"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: the label has one of the values, or (``wanted`` False) it does not.

    ``values`` None stands for any value: the label exists, or not.
    """

    key: str
    values: frozenset[str] | None
    wanted: bool

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil it; a label that is not there has no value."""
        has = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return has is self.wanted


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements, all of which must be fulfilled; none selects everything."""

    requirements: frozenset[Requirement] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Read a selector such as ``team=shop,tier notin (test, stage),!legacy``.

        Raises:
            ValueError: it is none.
        """
        found, at = [], 0
        while at < len(text):
            match = _REQUIREMENT.match(text, at)
            if match is None or (match["absent"] and (match["set"] or match["sign"])):
                raise ValueError(f"{text!r} is no label selector; wrong from {text[at:]!r}")
            found.append(_requirement(match))
            at = match.end()
        return cls(frozenset(found))

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether it selects something with these labels."""
        return all(requirement.fits(labels) for requirement in self.requirements)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["set"]:
        values = [value.strip() for value in match["values"].split(",")]
        for value in values:
            if not re.fullmatch(_VALUE, value):
                raise ValueError(f"{value!r} is no value of a label")
        return Requirement(match["key"], frozenset(values), wanted=match["set"] == "in")
    if match["sign"]:
        return Requirement(match["key"], frozenset((match["value"],)), wanted=match["sign"] != "!=")
    return Requirement(match["key"], None, wanted=not match["absent"])
