"""The way to the cluster: whatever is wrong with it is one line that says what to do, for each command alike."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imagesources.kube.credentials import NoClusterError, read_configuration

Json = dict[str, Any]
TOKEN = "the-token-that-nobody-may-see"


def kubeconfig(port: int = 1, cluster: Json | None = None, user: Json | None = None) -> str:
    """Returns a kubeconfig of a cluster on this machine."""
    server = {"server": f"http://127.0.0.1:{port}"} | (cluster or {})
    content = {
        "clusters": [{"name": "a", "cluster": server}],
        "users": [{"name": "me", "user": {"token": TOKEN}} if user is None else user],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "me"}}],
        "current-context": "a",
    }
    return json.dumps({"apiVersion": "v1", "kind": "Config", **content})


def command(*args: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, outside of any cluster."""
    env = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST")}
    argv = [sys.executable, "-m", "imagesources", *args]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["run", "doctor", "uninstall"])
def test_no_cluster(name: str, tmp_path: Path) -> None:
    """A kubeconfig that is not there, or none, is one line with the remedy."""
    for flags, why in (
        ([f"--kubeconfig={tmp_path}/none"], f"{tmp_path}/none does not exist"),
        ([], "no kubeconfig is given, and there is no service account of a Pod (Service host/port is not set)"),
    ):
        ended = command(name, *flags)
        assert ended.returncode == 1
        (line,) = (ended.stdout + ended.stderr).splitlines()
        assert line.endswith(f" no way to the cluster: {why}; give --kubeconfig or set KUBECONFIG")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("", "is not a kubeconfig", id="empty"),
        pytest.param(f"token: {TOKEN}: [", "is not a kubeconfig", id="no YAML"),
        pytest.param(f"- {TOKEN}", "is not a kubeconfig", id="a list"),
        pytest.param("kind: Config", "cannot be used (Expected key current-context)", id="no context"),
        pytest.param(
            kubeconfig(user={"name": "me", "token": TOKEN}), "cannot be used (Expected key user)", id="misplaced token"
        ),
        pytest.param(
            kubeconfig(cluster={"server": None}, user={"name": "me", "user": {"token": TOKEN}}),
            "cannot be used (Expected key server)",
            id="no server",
        ),
        pytest.param(
            kubeconfig(cluster={"server": "https://a", "certificate-authority-data": "AAAA"}),
            "a certificate or key of ",
            id="no certificate",
        ),
        pytest.param(
            kubeconfig(cluster={"server": "https://a", "certificate-authority": "/none.pem"}),
            "cannot be used (File does not exists: /none.pem)",
            id="missing certificate",
        ),
    ],
)
async def test_broken_kubeconfig(content: str, why: str, tmp_path: Path) -> None:
    """What is wrong with a kubeconfig is said without anything that it holds."""
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(NoClusterError) as raised:
        await read_configuration(str(path))
    assert why in str(raised.value)
    assert str(path) in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_several_kubeconfigs(tmp_path: Path) -> None:
    """Of several files, as in $KUBECONFIG, some may be missing, but not all."""
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig())
    assert (await read_configuration(f"{tmp_path}/a:{path}")).host == "http://127.0.0.1:1"
    with pytest.raises(NoClusterError, match=f"{tmp_path}/a and {tmp_path}/b do not exist"):
        await read_configuration(f"{tmp_path}/a:{tmp_path}/b")
    with pytest.raises(NoClusterError, match=f"{tmp_path} cannot be read"):
        await read_configuration(str(tmp_path))


@contextmanager
def silent(seconds: float) -> Iterator[int]:
    """An apiserver that takes so long to hang up; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            time.sleep(seconds)
            server.close()  # else a second try waits here
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("name", ["doctor", "uninstall"])
def test_says_what_it_waits_for(name: str, tmp_path: Path) -> None:
    """Somebody who waits for an apiserver that does not answer is told so, with its address."""
    path = tmp_path / "kubeconfig"
    with silent(4) as port:
        path.write_text(kubeconfig(port))
        ended = command(name, f"--kubeconfig={path}")
    assert ended.stderr.startswith(f"waiting for the Kubernetes API at http://127.0.0.1:{port} …\n")
    assert ended.returncode == 1
    path.write_text(kubeconfig(1))
    ended = command(name, f"--kubeconfig={path}")
    assert "waiting" not in ended.stderr
    said = " ".join((ended.stdout + ended.stderr).split())
    assert "127.0.0.1:1 cannot be reached (no connection: Connection refused)" in said


def test_run_says_where_it_cannot_listen_and_what_it_cannot_reach(tmp_path: Path) -> None:
    """An address in use is named with the option; an apiserver that is away with its address."""
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ended = command("run", f"--kubeconfig={path}", f"--listen={address}")
    assert ended.returncode == 1
    wanted = f"cannot listen on {address} (Address already in use); give another address with --listen"
    assert wanted in ended.stderr + ended.stdout
    assert "OSError" not in ended.stderr + ended.stdout
