"""Values that are known wherever they turn up, in whatever form."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from urllib.parse import quote

Encode = Callable[[str], str]

ENCODINGS: dict[str, Encode] = {
    "raw": lambda core: core,
    "hex": lambda core: core.encode().hex(),
    "percent": lambda core: "".join(f"%{byte:02x}" for byte in core.encode()),
    "percent, where needed": lambda core: quote(core, safe=""),
    "escaped throughout": lambda core: "".join(f"\\u{ord(letter):04x}" for letter in core),
    "reversed": lambda core: core[::-1],
    **{
        f"base64 {'for URLs ' if url else ''}at {at}": lambda core, at=at, url=url: _base64(core, at, url=url)
        for at in range(3)
        for url in (False, True)
    },
}
"""How a part of a value may be written; each finds it also within other text."""

DIGESTS = ("md5", "sha1", "sha256", "sha512")
"""Hashes of a whole value."""


def canary(name: str) -> str:
    """Returns a value that is the same in each run, is written differently in each encoding, and fits in a header."""
    random = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:20]
    return f'canary~{random}?>"{name}'


def found(text: str, value: str) -> list[str]:
    """Tells in which forms a value, or most of it, is in a text, whatever the case of its letters."""
    lowered = text.lower()
    forms = [name for name, encode in ENCODINGS.items() if encode(_core(value)).lower() in lowered]
    return forms + [name for name in DIGESTS if any(each in lowered for each in _digests(name, value))]


def _core(value: str) -> str:
    """The middle of a value: what is left where something has cut it, and looks the same however quotes are escaped."""
    return value[4:29]


def _base64(core: str, at: int, *, url: bool) -> str:
    """Writes the part of base64 that does not depend on what stands before and after."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    written = encode(b"x" * at + core.encode()).decode().rstrip("=")
    return written[4 if at else 0 : len(written) // 4 * 4 - 4]


def _digests(name: str, value: str) -> Iterator[str]:
    digest = hashlib.new(name, value.encode())
    yield digest.hexdigest()
    yield base64.b64encode(digest.digest()).decode().lower()
