"""Where a control plane comes from, how it is built, and that nothing of it is left behind."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from imagesources import controlplane
from imagesources.controlplane import ControlPlaneError, Process, build, foreign
from imagesources.controlplane.cluster import kubectl_on_path

_ENV = {"PYTHONPATH": str(Path(__file__).parents[2] / "operator")}
Script = Callable[[str, str], Path]

# A Go that needs no modules: `list` names two packages, `build` waits for the file "go-on" and writes its last word.
_GO = """
case "$1" in
version) echo go version go1.26.9 linux/amd64;;
list) printf 'one\\ntwo\\n';;
build) echo one >&2; until [ -e "$HERE/go-on" ]; do sleep 0.05; done
  echo "$$" >>"$HERE/builds"; while [ "$1" != -o ]; do shift; done; echo built >"$2";;
esac
"""

_VERSIONS = 'echo "clientVersion v1.36.0 serverVersion v1.36.0"'


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Puts shell scripts on a PATH of their own, with a cache folder of the test's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    def write(name: str, text: str) -> Path:
        path = programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    for name in ("kubectl", "docker", "kind"):  # the machine's own do not count
        write(name, "exit 1")
    return write


def _silent(_line: str) -> None:
    pass


def test_find_named_kubeconfig_wins(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig that the user names, ~ too, is used before programs at hand, with a kubectl that fits its server."""
    script("etcd", ""), script("kube-apiserver", "echo Kubernetes v1.36.3")
    kubectl = script("kubectl", _VERSIONS)
    kubeconfig = tmp_path / "mine"
    kubeconfig.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (kubeconfig, Path("~/mine")):
        assert controlplane.find(_silent, path) == foreign.Named(kubeconfig, kubectl)


def test_find_ignores_the_current_context(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBECONFIG in the environment is never taken without being named."""
    script("go", _GO)
    tmp_path.joinpath("go-on").touch()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    tmp_path.joinpath("mine").touch()
    assert isinstance(controlplane.find(_silent), controlplane.Programs)


def test_find_missing_kubeconfig(tmp_path: Path) -> None:
    """A kubeconfig that is not there is an error, not a reason to use another cluster."""
    with pytest.raises(ControlPlaneError, match="no kubeconfig"):
        controlplane.find(_silent, tmp_path / "absent")


def test_find_programs_on_path(script: Script) -> None:
    """Programs on PATH are used with the kubectl beside them."""
    etcd, apiserver = script("etcd", ""), script("kube-apiserver", "")
    found = controlplane.find(_silent)
    assert found == controlplane.Programs(etcd, apiserver, apiserver.with_name("kubectl"), "PATH")


def test_find_incomplete_assets(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS without the programs is named as the mistake."""
    script("etcd", ""), script("kube-apiserver", "")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(ControlPlaneError, match="KUBEBUILDER_ASSETS"):
        controlplane.find(_silent)


def test_find_kind_only_where_docker_answers(script: Script, tmp_path: Path) -> None:
    """Kind counts only with an engine that says its version; the tests' control plane is never kind's."""
    script("go", _GO)
    tmp_path.joinpath("go-on").touch()
    script("docker", "echo")
    assert isinstance(controlplane.find(_silent), controlplane.Programs)
    script("docker", "echo 29.1.0")
    assert isinstance(controlplane.find(_silent), foreign.Kind)
    assert isinstance(controlplane.find_programs(_silent), controlplane.Programs)


@pytest.mark.parametrize("where", ["named", "kind"])
def test_find_builds_a_missing_kubectl(script: Script, tmp_path: Path, where: str) -> None:
    """What takes minutes, the build of a kubectl, is over before a cluster is made or used."""
    script("go", _GO), script("docker", "echo 29.1.0")
    tmp_path.joinpath("go-on").touch()
    tmp_path.joinpath("mine").touch()
    found = controlplane.find(_silent, tmp_path / "mine" if where == "named" else None)
    assert isinstance(found, foreign.Named | foreign.Kind)
    assert found.kubectl == build.built(_silent) / "kubectl"
    assert len(tmp_path.joinpath("builds").read_text().split()) == 2


def test_kind_deletes_its_cluster(script: Script, tmp_path: Path) -> None:
    """The kind cluster is deleted after use, and the user's kubeconfig is not touched."""
    kubectl = script("kubectl", _VERSIONS)
    kind = foreign.Kind(script("kind", 'echo "$1 $2 $5 $6" >>"$HERE/calls"'), kubectl, _silent)
    with kind.cluster(tmp_path) as cluster:
        assert cluster.kubeconfig == tmp_path / "kubeconfig"
    calls = tmp_path.joinpath("calls").read_text().splitlines()
    assert calls == [f"{verb} cluster --kubeconfig {tmp_path}/kubeconfig" for verb in ("create", "delete")]


@pytest.mark.parametrize(("minor", "fits"), [(34, False), (35, True), (36, True), (37, True)])
def test_kubectl_skew(script: Script, minor: int, fits: bool) -> None:
    """A kubectl on PATH may be one minor version older than the server, not two."""
    kubectl = script("kubectl", f'echo \'{{"clientVersion": {{"gitVersion": "v1.{minor}.4-vendor"}}}}\'')
    assert kubectl_on_path(36) == (kubectl if fits else None)


def test_built_tells_and_keeps(script: Script, tmp_path: Path) -> None:
    """A build says how long it takes and how far it is, leaves only the programs, and is not repeated."""
    script("go", _GO)
    tmp_path.joinpath("go-on").touch()
    said: list[str] = []
    folder = build.built(said.append)
    assert "about 6 minutes" in said[1]
    assert any("of 2 packages compiled" in line for line in said)
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kube", "kube-apiserver", "kubectl"]
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, f"{folder.name}.lock"]
    assert build.built(said.append) == folder
    assert len(tmp_path.joinpath("builds").read_text().split()) == 2


def test_built_failure_shows_the_log(script: Script) -> None:
    """A build that fails shows the compiler's last words and leaves nothing half-built."""
    script("go", 'case "$1" in version) echo go1.26.1;; *) echo no such module; exit 3;; esac')
    with pytest.raises(ControlPlaneError, match=r"exit code 3.\nno such module"):
        build.built(_silent)
    assert not list(Path(os.environ["XDG_CACHE_HOME"]).glob("*/*.work"))


def test_built_where_nothing_can_be_written(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that cannot be written is named, with the setting for another one."""
    script("go", _GO)
    tmp_path.joinpath("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ControlPlaneError, match=r"file/imagesource-operator'. XDG_CACHE_HOME names"):
        build.built(_silent)


def _builder() -> subprocess.Popen[str]:
    code = "from imagesources.controlplane import find_programs as f; f(lambda line: print(line, flush=True))"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | _ENV,
    )


def test_built_once_by_two_runs(script: Script, tmp_path: Path) -> None:
    """Two runs at once build once: the second waits for the first and says so."""
    script("go", _GO)
    with _builder() as first, _builder() as second:
        wait_for(lambda: list(tmp_path.glob("cache/*/*.work/*.log")), what="a build")
        tmp_path.joinpath("go-on").touch()
        told = first.communicate(timeout=30)[0], second.communicate(timeout=30)[0]
        assert (first.returncode, second.returncode) == (0, 0)
    assert len(tmp_path.joinpath("builds").read_text().split()) == 2  # etcd and kube
    assert sum("Building" in text for text in told) == 1


def test_built_interrupted(script: Script, tmp_path: Path) -> None:
    """Ctrl-C while compiling ends the compiler and leaves neither a half build nor its work."""
    script("go", _GO.replace("build) ", 'build) echo $$ >"$HERE/pid.new"; mv "$HERE/pid.new" "$HERE/pid"; '))
    with _builder() as run:
        wait_for(tmp_path.joinpath("pid").exists, what="the compiler")
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
    with pytest.raises(ProcessLookupError):
        os.kill(int(tmp_path.joinpath("pid").read_text()), 0)
    assert [path.suffix for path in tmp_path.glob("cache/*/*")] == [".lock"]


def test_process_dies_with_its_parent(tmp_path: Path) -> None:
    """A child ends when the one who started it is killed with kill -9."""
    code = f"""
import pathlib, time
from imagesources.controlplane import Process
print(Process(["sleep", "600"], log=pathlib.Path({str(tmp_path / "log")!r})).pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | _ENV
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_for(lambda: b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes()[:6], what="the child to run")
        parent.kill()
    wait_for(lambda: not _alive(child), what="the child to end")


def test_process_kill_ends_the_whole_group(tmp_path: Path) -> None:
    """What a child has started itself ends with it."""
    with Process(["sh", "-c", "sleep 600 & echo $!; wait"], log=tmp_path / "log") as shell:
        wait_for(lambda: (tmp_path / "log").read_text().endswith("\n"), what="the grandchild")
    assert shell.code == -signal.SIGKILL
    wait_for(lambda: not _alive(int(shell.tail())), what="the grandchild to end")


def _alive(pid: int) -> bool:
    """A process that has ended but is not yet waited for by its new parent counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
