"""The commands of the README and the Makefile, as a new user runs them."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.support.cluster import install_crds, run_kubectl
from tests.support.process import processes_with
from tests.support.programs import helm
from tests.support.waiting import wait_for

from imagesources.controlplane import Cluster, ControlPlane, Process, find_programs

ROOT = Path(__file__).parents[2]
_NAMESPACE = "imagesources-demo"


def _readme_block(text: str) -> str:
    """The first fenced block of the README that holds a text."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if text in block)


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
    """The README's first command runs the main job to its end, as the README shows it, and leaves nothing behind."""
    with _demo(tmp_path) as demo:
        output, _ = demo.communicate(timeout=200)
    assert demo.returncode == 0, output
    said = iter(_plain(output))
    for line in _plain(_readme_block("4. Their way to Ready")):
        passing = re.search(r" (Creating|queued|running) ", line)  # may be over before kubectl looks
        assert passing or line in said, f"{line}\n{output}"
    assert _left_behind(tmp_path) == []


def _plain(output: str) -> list[str]:
    """The lines of an output, without ages and widths of columns."""
    return [re.sub(r" \d+s$", "", " ".join(line.split())) for line in output.splitlines() if line.strip()]


@pytest.mark.usefixtures("control_plane")
@pytest.mark.parametrize("moment", ["", "Kubernetes:", "2. ", "4. ", "7. ", "worker   Deleting"])
def test_demo_interrupted(tmp_path: Path, moment: str) -> None:
    """Ctrl-C, twice, at any moment of the demo, before its first line too, leaves no process and no file."""
    with _demo(tmp_path) as demo:
        if moment:
            _read_until(demo, moment)
        else:
            wait_for(lambda: list(tmp_path.iterdir()), what="the demo to begin")
        _interrupt(demo)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert "\nStopping …\n" in f"\n{output}"
    wait_for(lambda: not _left_behind(tmp_path), what="everything to be gone")


def _read_until(demo: subprocess.Popen[str], start: str) -> str:
    """Reads up to the first line that starts with a text, and returns it."""
    assert demo.stdout is not None
    return next(line for line in demo.stdout if line.startswith(start))


def _interrupt(demo: subprocess.Popen[str]) -> None:
    for _ in range(2):
        os.killpg(demo.pid, signal.SIGINT)


def test_demo_in_a_given_cluster(control_plane: ControlPlane, tmp_path: Path) -> None:
    """In a cluster that the user names the demo removes its namespace and sources, and no CRD that was there before."""
    with _demo(tmp_path, f"ARGS=--kubeconfig={control_plane.cluster.kubeconfig}") as demo:
        output, _ = demo.communicate(timeout=200)
    assert demo.returncode == 0, output
    assert _left_behind(tmp_path) == []
    assert _left_in(control_plane.cluster) == ("Terminating", "")


@pytest.mark.usefixtures("control_plane")
@pytest.mark.parametrize("moment", ["4. ", "Removing"])
def test_demo_interrupted_in_a_given_cluster(tmp_path: Path, moment: str) -> None:
    """Ctrl-C, also amid the clean-up: what the demo made there goes, and what was there stays."""
    with ControlPlane(find_programs(print)) as running:
        install_crds(running.cluster)
        with _demo(tmp_path, f"ARGS=--kubeconfig={running.cluster.kubeconfig}") as demo:
            _read_until(demo, moment)
            _interrupt(demo)
            demo.communicate(timeout=120)
        assert _left_behind(tmp_path) == []
        assert _left_in(running.cluster) == ("Terminating", "")


@pytest.mark.usefixtures("control_plane")
def test_demo_that_nobody_reads(tmp_path: Path) -> None:
    """When its output is closed, the demo ends, and everything that it made in a given cluster goes, its CRDs too."""
    with ControlPlane(find_programs(print)) as running:
        with _demo(tmp_path, f"ARGS=--kubeconfig={running.cluster.kubeconfig}") as demo:
            _read_until(demo, "4. ")
            assert demo.stdout is not None
            demo.stdout.close()
            demo.wait(120)
        assert _left_behind(tmp_path) == []
        assert run_kubectl(running.cluster, "get", "customresourcedefinitions", "--output=name") == ""


def _left_in(cluster: Cluster) -> tuple[str, str]:
    """The phase of the demo's namespace, and the ImageSources in it."""
    namespace = json.loads(run_kubectl(cluster, "get", "namespace", _NAMESPACE, "--output=json"))
    left = run_kubectl(cluster, "get", "imagesources", f"--namespace={_NAMESPACE}", "--output=name")
    return namespace["status"]["phase"], left


@pytest.mark.usefixtures("control_plane")
def test_demo_kept(tmp_path: Path) -> None:
    """What --keep prints works in another terminal: kubectl applies the README's first source; there is doctor too."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    first = tmp_path / "first.yaml"
    first.write_text(_readme_block("kind: ImageSource"))
    with _demo(folder, "ARGS=--keep") as demo:
        export = _read_until(demo, "export ")
        script = f"""{export}
            kubectl apply -f {first} &&
            kubectl wait --for=condition=Ready --timeout=60s imagesource/proxy &&
            imagesource-operator doctor --namespace {_NAMESPACE} && cat "$(dirname "$KUBECONFIG")"/operator.log"""
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        env |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        answer = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False, timeout=120)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        _interrupt(demo)
        demo.communicate(timeout=60)
    wait_for(lambda: not _left_behind(folder), what="everything to be gone")


@pytest.mark.usefixtures("control_plane")
def test_readme_runs_the_operator(tmp_path: Path) -> None:
    """The README's commands for a cluster without the chart install the CRDs and start an operator that works."""
    install, run = _readme_block("crds/").splitlines()
    for name, target in (("crds", ROOT / "crds"), (".venv", Path(sys.prefix))):
        tmp_path.joinpath(name).symlink_to(target)
    with ControlPlane(find_programs(print)) as running:
        cluster = running.cluster
        tmp_path.joinpath(".kube").mkdir()
        tmp_path.joinpath(".kube", "config").write_text(cluster.kubeconfig.read_text())
        env = os.environ | {"HOME": str(tmp_path), "PATH": f"{cluster.kubectl.parent}:{os.environ['PATH']}"}
        env.pop("KUBECONFIG", None)
        subprocess.run(["sh", "-c", install], cwd=tmp_path, env=env, check=True, capture_output=True)
        command = ["sh", "-c", f"exec {run} --listen 127.0.0.1:0"]  # the usual port may be taken
        with Process(command, log=tmp_path / "log", cwd=tmp_path, env=env) as operator:
            run_kubectl(cluster, "apply", "--filename=-", input=_readme_block("kind: ImageSource"))
            run_kubectl(cluster, "wait", "--for=condition=Ready", "--timeout=60s", "imagesource/proxy")
            operator.send(signal.SIGTERM)
            assert operator.wait(30) == 0, operator.tail()


def test_readme_installs_the_chart() -> None:
    """The README's helm command renders a Deployment of the image that its docker command builds."""
    build, *install = _readme_block("helm install").replace("\\\n", " ").splitlines()
    program, verb, *rest = shlex.split(" ".join(install))
    assert (program, verb) == ("helm", "install")
    flags = [word for word in rest if word not in ("--wait", "--create-namespace")]
    answer = subprocess.run([helm(), "template", *flags], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    objects = [each for each in yaml.safe_load_all(answer.stdout) if each]
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == shlex.split(build)[3]


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
