"""What is generated from the models is checked in, and keeps what the apiserver needs of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagesources.resources.base import Resource
from imagesources.resources.conditions import ConditionType, Reason
from imagesources.resources.generate import main, render
from imagesources.resources.schema import KINDS, crd

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


def test_checked_in_files_are_current() -> None:
    """The folders ``crds`` and ``docs/reference`` hold what the models say, and nothing else; else: make generate."""
    found = [path for folder in ("crds", "docs/reference") for path in (ROOT / folder).iterdir()]
    assert {str(path.relative_to(ROOT)): path.read_text() for path in found} == render(ROOT)


def test_files_do_not_depend_on_what_was_imported_before() -> None:
    """Python takes a Literal for another of the same words in any order, and keeps the first: here the platform's."""
    render_all = "import pathlib; from imagesources.resources.generate import render; print(render(pathlib.Path()))"
    first, later = (
        subprocess.run([sys.executable, "-c", before + render_all], cwd=ROOT, check=True, capture_output=True).stdout
        for before in ("", "import imagesources.platform.client;")
    )
    assert first == later


def test_main_writes_named_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the folders that are named are written; without a name all are."""
    tmp_path.joinpath("manifests").symlink_to(ROOT / "manifests")
    monkeypatch.chdir(tmp_path)
    main(("crds",))
    assert not tmp_path.joinpath("docs").exists()
    main(())
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()}
    assert written == set(render(ROOT))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_spec_is_bounded(kind: type[Resource]) -> None:
    """Every text, list and map of a spec has a limit, by which the apiserver reckons what its rules cost."""
    (version,) = crd(kind)["spec"]["versions"]
    assert list(_unbounded(version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec")) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_rules_speak_to_people(kind: type[Resource]) -> None:
    """Every rule has a message of its own that is no expression, and a reason of the apiserver's list."""
    (version,) = crd(kind)["spec"]["versions"]
    for rule in _rules(version["schema"]["openAPIV3Schema"]):
        assert "self" not in rule["message"]
        assert rule["reason"] in {"FieldValueInvalid", "FieldValueRequired"}


def test_reasons_are_explained() -> None:
    """Every reason and condition has one meaning in words, every reason one remedy in one sentence."""
    for reason in Reason:
        assert reason.meaning.endswith(".")
        assert reason.remedy.endswith(".")
        assert reason.remedy.count(". ") == 0
    assert all(condition.meaning for condition in ConditionType)
    assert Reason("InSync") is Reason.IN_SYNC


def _parts(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield f"{path}.*", schema[key]


def _unbounded(schema: Json, path: str) -> Iterator[str]:
    limit = {"string": "maxLength", "array": "maxItems"}.get(schema["type"])
    if isinstance(schema.get("additionalProperties"), dict):
        limit = "maxProperties"
    if limit and not {limit, "enum", "format"} & set(schema):
        yield path
    for below, part in _parts(schema, path):
        yield from _unbounded(part, below)


def _rules(schema: Json) -> Iterator[Json]:
    yield from schema.get("x-kubernetes-validations", [])
    for _, part in _parts(schema, ""):
        yield from _rules(part)
