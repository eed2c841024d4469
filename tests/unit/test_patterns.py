"""No expression takes long, whatever it is given: those of Python, and the rules of the CRDs."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.support.cluster import CRDS, ROOT

from imagesources.reconcile.status import clean

Json = dict[str, Any]

SIZE = 100_000
HOSTILE = (
    "a",
    "-",
    ".",
    "/",
    "@",
    ":",
    "_",
    " ",
    "0",
    "A",
    "é",
    "://",
    "a@",
    "://a@",
    "a-",
    "_a",
    "a:",
    "?#",
    "1m",
    "\n",
)
OWN_INPUT = {"controlplane", "cli"}
"""Packages whose expressions read this project's own programs and files, or what a command line says."""
CALLS = ("sub", "match", "fullmatch", "search", "compile", "findall", "finditer", "split")


def in_code() -> Iterator[tuple[str, str]]:
    """Every expression that reads what others have written, with where it is."""
    for path in sorted((ROOT / "operator" / "imagesources").rglob("*.py")):
        if OWN_INPUT & set(path.parts) or path.name == "selector.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=attr), args=[first, *_]) if (
                    attr in CALLS
                ):
                    assert isinstance(first, ast.Constant), f"{path}:{node.lineno}: it is not written out"
                    yield f"{path.name}:{node.lineno}", str(first.value)


def in_rules(node: Any) -> Iterator[tuple[str, Json]]:
    """Every expression of the CRDs' rules about a text, with the schema of that text."""
    match node:
        case dict():
            for rule in node.get("x-kubernetes-validations", ()):
                for pattern in re.findall(r"self\.matches\(r?'([^']*)'\)", rule["rule"]):
                    yield pattern, node
            for part in node.values():
                yield from in_rules(part)
        case list():
            for part in node:
                yield from in_rules(part)


RULES = [found for path in sorted(CRDS.glob("*.yaml")) for found in in_rules(yaml.safe_load(path.read_text()))]
PATTERNS = dict(in_code()) | {pattern: pattern for pattern, _ in RULES}


def hostile() -> Iterator[str]:
    """100 kB each of what might make an expression go back and forth."""
    for part in HOSTILE:
        text = (part * SIZE)[:SIZE]
        yield from (text, f"{text}!", f"a://{text}", f"{text}@")


def test_there_are_some() -> None:
    """The expressions are found at all."""
    assert len(dict(in_code())) >= 6
    assert len({pattern for pattern, _ in RULES}) >= 3


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", [name for name in PATTERNS if not name.startswith("status.py")])
def test_expression(where: str) -> None:
    """Hostile texts are read in one go: one that goes back and forth would take longer than this test may."""
    expression = re.compile(PATTERNS[where])
    for text in hostile():
        expression.sub("", text)
        expression.fullmatch(text)


@pytest.mark.timeout(60)
def test_words_of_the_platform() -> None:
    """What the platform says of errors is as long as an answer may be; only a part of it is read."""
    for text in hostile():
        assert len(clean(text)) <= 512


def test_rules_are_bounded() -> None:
    """A rule (RE2 in the apiserver) reads no text whose length has no limit."""
    assert [pattern for pattern, schema in RULES if schema.get("maxLength", SIZE) > 8192] == []
