"""The samples and the examples of the README and the reference pages on a real apiserver."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.cluster import ROOT, SAMPLES, Kubectl

from imagesources.resources import CREDENTIALS_LABEL
from imagesources.resources.origin import DETAILS_OF

DRY_RUN = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
"""Asks the apiserver for its opinion; nothing is stored."""


def test_samples(kubectl: Kubectl) -> None:
    """The samples are one source for each type of origin, in a table that is found by its fields."""
    kubectl("apply", "--validate=strict", f"--filename={SAMPLES}")
    assert sorted(each["spec"]["origin"]["type"] for each in kubectl.list("imagesources")) == sorted(DETAILS_OF)
    assert kubectl("get", "imagesources").splitlines()[0].split() == [
        "NAME", "READY", "REASON", "ORIGIN", "IDENTIFIER", "JOB", "AGE",
    ]  # fmt: skip
    found = kubectl("get", "imagesources", "--field-selector=spec.origin.type=cycle-source", "--output=name")
    assert found.split() == ["imagesource.images.cycle.io/web-in-stack"]


def test_samples_refer_to_each_other() -> None:
    """The samples bring every Secret, with its label, and every source that they name."""
    objects = [each for path in sorted(SAMPLES.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    names = {(each["kind"], each["metadata"]["name"]) for each in objects}
    secrets = [each for each in objects if each["kind"] == "Secret"]
    refs = [ref for each in objects for ref in _refs(each.get("spec", {}))]
    assert {ref for ref in refs if ref not in names} == set()
    assert all(each["metadata"]["labels"] == {CREDENTIALS_LABEL: "true"} for each in secrets)
    assert not any("namespace" in each["metadata"] for each in objects)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_sample_variants(kubectl: Kubectl, path: Path) -> None:
    """What a sample shows as a comment is valid too."""
    text = re.sub(r"^(#.*\n)+", "", path.read_text())
    shown = re.sub(r"^( *)# ( *[a-zA-Z./]+:( .*)?|---)$", r"\1\2", text, flags=re.MULTILINE)
    kubectl(*DRY_RUN, input=shown)


@pytest.mark.parametrize(
    ("page", "count"),
    [("README", 2), *((f"docs/reference/{kind}", 1) for kind in ("imagesource", "hub", "clusterhub"))],
)
def test_page_example(kubectl: Kubectl, page: str, count: int) -> None:
    """The examples of a page are valid."""
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / f"{page}.md").read_text(), flags=re.DOTALL)
    assert len(examples) == count
    for example in examples:
        kubectl(*DRY_RUN, input=example)


def _refs(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, kind in (("secretKeyRef", "Secret"), ("sourceRef", "ImageSource")):
            if key in value:
                yield kind, value[key]["name"]
        for part in value.values():
            yield from _refs(part)
