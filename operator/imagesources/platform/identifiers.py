"""How the platform makes an identifier of a name. Pure."""

import re


def tokenize(name: str) -> str:
    """Make an identifier of a name: ``My Container`` gives ``my-container``.

    Lower case, each run of other characters than ASCII letters and digits is a dash, and none is at the ends; "" if
    nothing is left.
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
