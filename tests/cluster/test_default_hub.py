"""The default Hub of an installation: made where there is none, left alone where there is one."""

from pathlib import Path

import pytest
import yaml
from tests.support.cluster import Kubectl
from tests.support.process import OperatorProcess
from tests.support.waiting import wait_for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the spec of an embedded Hub."""
    path = tmp_path / "hub.yaml"
    path.write_text(yaml.safe_dump({"spec": {"embedded": {}, "inventoryInterval": "7s"}}))
    return path


def test_created_once(operator: OperatorProcess, kubectl: Kubectl, file: Path) -> None:
    """It is there and works after the first start, and keeps what a person changes, which further starts tell."""
    flags = ("--default-hub", str(file), "--operator-namespace", kubectl.namespace)
    operator.start(*flags)
    kubectl("wait", "hub/default", "--for=condition=Ready", "--timeout=30s")
    assert kubectl.get("hub", "default")["spec"]["inventoryInterval"] == "7s"
    kubectl.patch("hub", "default", {"spec": {"inventoryInterval": "9s"}})
    operator.stop()
    operator.start(*flags)
    wait_for(lambda: "it stays as it is" in operator.log.read_text(), what="the second start to look")
    wait_for(lambda: "differs from the installation's in spec.inventoryInterval" in operator.log.read_text(), what="it")
    assert kubectl.get("hub", "default")["spec"]["inventoryInterval"] == "9s"
    operator.stop()


def test_in_a_namespace_that_is_not_served(operator: OperatorProcess, file: Path) -> None:
    """A Hub that nobody would look after is not made; the refusal names the flag that is missing."""
    operator.start("--default-hub", str(file), "--operator-namespace=elsewhere", ready=False)
    wait_for(lambda: operator.process.code is not None, what="the refusal")
    assert operator.process.code == 2
    assert "add --namespace elsewhere" in operator.process.tail(5)
