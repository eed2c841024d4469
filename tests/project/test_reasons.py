"""The list of reasons is closed: each is waited for by some cluster test, and nothing else is."""

import ast
from collections.abc import Iterator

from tests.support.cluster import ROOT

from imagesources.resources.conditions import Reason


def _waited_for() -> Iterator[str]:
    """The reasons that cluster tests wait for: ``scene.reason(…)``, ``scene.has_said(…)``, a column ``reason``."""
    for path in sorted((ROOT / "tests" / "cluster").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="reason" | "has_said"), args=[_, ast.Constant(value=str(reason)), *_]
                ):
                    yield reason
                case ast.Call(func=ast.Attribute(attr="parametrize"), args=[ast.Tuple(elts=titles), table]):
                    names = [title.value for title in titles if isinstance(title, ast.Constant)]
                    yield from _column(table, names.index("reason")) if "reason" in names else ()


def _column(table: ast.expr, index: int) -> Iterator[str]:
    for row in table.elts if isinstance(table, ast.List) else ():
        cells = row.elts if isinstance(row, ast.Tuple) else row.args if isinstance(row, ast.Call) else ()
        cell = cells[index] if index < len(cells) else None
        if isinstance(cell, ast.Constant):
            yield str(cell.value)


def test_every_reason_is_produced() -> None:
    """A reason that no cluster test produces may be one that nothing can produce."""
    assert sorted(set(Reason) - set(_waited_for())) == []


def test_no_other_reason() -> None:
    """What tests wait for is documented."""
    assert sorted(set(_waited_for()) - {str(reason) for reason in Reason}) == []


def test_every_reason_says_what_to_do() -> None:
    """Each reason has one meaning and one remedy, both sentences."""
    assert [reason for reason in Reason if not (reason.meaning.endswith(".") and reason.remedy.endswith("."))] == []
