"""Forms of options: what can never mean anything is refused at once, with the form that is wanted."""

import math
import re
from collections.abc import Callable
from typing import Any, Final

import click

from imagesources.platform.hosts import is_place


class Form(click.ParamType[str]):
    """A text of a form."""

    def __init__(self, name: str, fits: Callable[[str], object], wanted: str) -> None:
        self.name = name
        self._fits = fits
        self._wanted = wanted

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is, or refuse it."""
        if not self._fits(value):
            self.fail(f"{value!r} is not {self._wanted}", param, ctx)
        return value


class _Seconds(click.FloatRange):
    """A time that ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's signature
        """Return the number, or refuse it."""
        seconds: float = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


def _is_address(text: str) -> bool:
    found = re.fullmatch(r"(?:\[[^\[\]]+\]|[^:\[\]]*):(\d{1,5})", text)
    return found is not None and int(found[1]) < 2**16


_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*"

SECONDS: Final = _Seconds(min=0)
NAMESPACE: Final = Form(
    "namespace",
    re.compile(_LABEL).fullmatch,
    "the name of a namespace: lowercase letters, digits and -, at most 63",
)
LEASE: Final = Form(
    "lease", re.compile(f"({_NAME})?").fullmatch, "the name of a Lease: lowercase letters, digits, - and ."
)
ACCOUNT: Final = Form("account", re.compile(f"({_LABEL}:{_NAME})?").fullmatch, "NAMESPACE:NAME of a service account")
ADDRESS: Final = Form("address", _is_address, "HOST:PORT, such as 127.0.0.1:8090 or [::]:8090")
HOST: Final = Form("host", is_place, "HOST or HOST:PORT: no scheme, no path, no wildcard")
