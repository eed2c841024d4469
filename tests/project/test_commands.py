"""The commands of the README and the Makefile, as a new user runs them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.cluster import run_kubectl
from tests.support.process import processes_with
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
_ORIGINS = ("docker-hub", "docker-file", "docker-registry", "oci-registry", "cycle-upload", "cycle-source", "none")


def _readme_commands() -> list[str]:
    """The `make` commands that the README shows, in order."""
    return re.findall(r"^(?:\$ )?(make .+)$", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_readme_shows_two_commands_first() -> None:
    """A reader meets the demo first, then the tests; CI runs the second one."""
    assert _readme_commands()[:2] == ["make demo", "make test"]
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


def _make(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return subprocess.run(["make", *args], cwd=folder, capture_output=True, text=True, check=False)


def test_make_names_a_missing_python(tmp_path: Path) -> None:
    """Without Python the message says what to install or to set."""
    answer = _make(tmp_path, "demo", f"PYTHON={tmp_path}/python3")
    assert answer.returncode != 0
    assert f"There is no {tmp_path}/python3. Install Python 3.11 or newer" in answer.stderr


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("import sys; sys.version_info = (3, 9, 2); sys.version = '3.9.2 (main)'", "is Python 3.9.2, 3.11 or newer"),
        ("import sys; sys.modules['ensurepip'] = None", "apt install python3-venv"),
    ],
)
def test_make_names_an_unfit_python(tmp_path: Path, lines: str, message: str) -> None:
    """A Python that is too old, or that cannot make virtual environments, is named with the remedy."""
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nshift; exec {sys.executable} -c "{lines}\n$1"\n')
    python.chmod(0o755)
    answer = _make(tmp_path, "demo", f"PYTHON={python}")
    assert answer.returncode != 0
    assert message in answer.stderr


@pytest.mark.parametrize(
    "body",
    [
        "pytest.skip('later')",
        "pytest.xfail('later')",
        "pytest.importorskip('no_such_module')",
    ],
)
def test_skipping_fails_the_run(tmp_path: Path, body: str) -> None:
    """A test that skips itself, or is expected to fail, fails the run."""
    code, output = _pytest(tmp_path, f"import pytest\n\ndef test_it():\n    {body}\n")
    assert code == 1
    assert "Tests are not skipped here" in output


@pytest.mark.parametrize(
    "module",
    [
        "import pytest\n\n@pytest.mark.xfail\ndef test_it():\n    pass\n",
        "import pytest\n\n@pytest.mark.skip\ndef test_it():\n    pass\n",
        "import pytest\n\npytest.skip(allow_module_level=True)\n",
    ],
)
def test_marking_fails_the_run(tmp_path: Path, module: str) -> None:
    """A test that is marked, or a module that leaves itself out, fails the run."""
    code, output = _pytest(tmp_path, module)
    assert code != 0
    assert "Tests are not skipped here" in output


def test_deselecting_in_the_environment_fails_the_run(tmp_path: Path) -> None:
    """Only the command line may select tests; a setting that leaves some out fails the run."""
    module = "def test_one():\n    pass\n\ndef test_two():\n    pass\n"
    assert _pytest(tmp_path, module)[0] == 0
    assert _pytest(tmp_path, module, "-k", "one")[0] == 0
    code, output = _pytest(tmp_path, module, PYTEST_ADDOPTS="-k one")
    assert code != 0
    assert "1 tests were deselected" in output


def _pytest(folder: Path, module: str, *args: str, **env: str) -> tuple[int, str]:
    """Runs one module under this project's configuration and conftest."""
    path = folder / "test_module.py"
    path.write_text(module)
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "tests.conftest", str(path), *args]
    answer = subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stdout + answer.stderr


@pytest.mark.usefixtures("control_plane")
def test_demo_as_the_readme_says(tmp_path: Path) -> None:
    """The README's first command runs the main job from nothing to its end and leaves nothing behind."""
    with _demo(tmp_path) as demo:
        output, _ = demo.communicate(timeout=200)
    assert demo.returncode == 0, output
    for origin in (
        "docker-hub",
        "docker-file",
        "docker-registry",
        "oci-registry",
        "cycle-upload",
        "cycle-source",
        "none",
    ):
        assert re.search(rf"^\S+ +True +\S+ +{origin} ", output, re.MULTILINE), output
    assert '"developer":{' in output
    assert re.search(r"^worker +Deleting +completed +2/2 ", output, re.MULTILINE), output
    assert _left_behind(tmp_path) == []


@pytest.mark.usefixtures("control_plane")
@pytest.mark.parametrize("moment", ["Kubernetes:", "2. ", "4. ", "7. "])
def test_demo_interrupted(tmp_path: Path, moment: str) -> None:
    """Ctrl-C, twice, at any moment of the demo leaves no process and no file."""
    with _demo(tmp_path) as demo:
        assert demo.stdout is not None
        assert any(line.startswith(moment) for line in demo.stdout)
        for _ in range(2):
            os.killpg(demo.pid, signal.SIGINT)
        demo.communicate(timeout=60)
    assert demo.returncode != 0
    wait_for(lambda: not _left_behind(tmp_path), what="everything to be gone")


def test_demo_in_a_given_cluster(control_plane: ControlPlane, tmp_path: Path) -> None:
    """In a cluster that the user names the demo removes its namespace and sources, and no CRD that was there before."""
    with _demo(tmp_path, f"ARGS=--kubeconfig={control_plane.cluster.kubeconfig}") as demo:
        output, _ = demo.communicate(timeout=200)
    assert demo.returncode == 0, output
    assert _left_behind(tmp_path) == []
    namespace = run_kubectl(control_plane.cluster, "get", "namespace", "imagesources-demo", "--output=json")
    assert json.loads(namespace)["status"]["phase"] == "Terminating"
    left = run_kubectl(control_plane.cluster, "get", "imagesources", "--namespace=imagesources-demo", "--output=name")
    assert left == ""


@contextmanager
def _demo(folder: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Runs the README's first command with all temporary files in a folder, in a process group of its own."""
    command = [*_readme_commands()[0].split(), *args]
    env = os.environ | {"TMPDIR": str(folder), "MAKEFLAGS": "", "ARGS": ""}  # those of make test are not for the demo
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, env=env, text=True, start_new_session=True, **pipes) as demo:
        try:
            yield demo
        finally:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)


def _left_behind(folder: Path) -> list[str]:
    """Files in the folder and processes that know of it."""
    return [str(path) for path in folder.iterdir()] + processes_with(str(folder))
