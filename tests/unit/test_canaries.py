"""What is to find a secret finds it: in each form, cut, and within other text."""

import base64
import hashlib
import json
from urllib.parse import quote

import pytest
from tests.support.canaries import canary, found

VALUE = canary("unit")
WRITTEN = {
    "raw": f"password={VALUE}, refused",
    "cut": VALUE[3:40],
    "in lower case": VALUE.lower(),
    "json": json.dumps({"a": [VALUE]}),
    "json in json": json.dumps(json.dumps(VALUE)),
    "escaped": "".join(f"\\u{ord(letter):04X}" for letter in VALUE),
    "query": f"https://h/?token={quote(VALUE)}",
    "percent": "".join(f"%{ord(letter):02X}" for letter in VALUE),
    "hex": VALUE.encode().hex(),
    "reversed": VALUE[::-1],
    "basic auth": base64.b64encode(f"user:{VALUE}".encode()).decode(),
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 at 1": base64.b64encode(f"a{VALUE}bcd".encode()).decode(),
    "base64 at 2": base64.b64encode(f"ab{VALUE}c".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"ab{VALUE}".encode()).decode(),
    "hash": hashlib.sha256(VALUE.encode()).hexdigest(),
    "hash, short": base64.b64encode(hashlib.md5(VALUE.encode(), usedforsecurity=False).digest()).decode(),
    "repr": repr({"token": VALUE.encode()}),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_found(text: str) -> None:
    """A value that is written so is found."""
    assert found(f"before {text} after", VALUE)


def test_not_found() -> None:
    """Other values, and what is always there, are not taken for it."""
    assert not found(f"{canary('another')} {'canary~' * 9} spec.origin.details.tokenFrom", VALUE)
