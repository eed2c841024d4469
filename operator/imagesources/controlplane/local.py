"""etcd and kube-apiserver on loopback in a temporary folder, up in about two seconds."""

import csv
import http.client
import json
import secrets
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from imagesources.controlplane.build import ControlPlaneError
from imagesources.controlplane.cluster import Cluster, write_kubeconfig
from imagesources.controlplane.ports import free_ports
from imagesources.controlplane.processes import Process

OPERATOR = "imagesource-operator"
_ADMIN = "admin"
_START_SECONDS = 60.0
_TRIES = 5
_PORT_TAKEN = "address already in use"

# Reads are left out, but for Pods' accounts, whose rights are compared with what they do; bodies are kept for our own
# group, so that a failing count shows what was written.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"], "verbs": ["get", "list", "watch"]},
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "Request", "resources": [{"group": "images.cycle.io"}]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True)
class Programs:
    """What a control plane is made of, and where it was found."""

    etcd: Path
    apiserver: Path
    kubectl: Path
    origin: str

    @contextmanager
    def cluster(self, folder: Path) -> Iterator[Cluster]:
        """Runs a control plane with everything in ``folder``."""
        with ControlPlane(self, folder) as control_plane:
            yield control_plane.cluster


@dataclass(frozen=True)
class _Ports:
    apiserver: int
    etcd: int
    peers: int


class ControlPlane:
    """A context manager around one control plane of its own, with RBAC, an audit log and two users.

    There is no controller-manager: nothing collects garbage, empties a deleted namespace or makes service accounts.

    Both users are in ``system:masters``; ``OPERATOR`` has a name of its own for the audit log.

    Args:
        programs: What to run.
        folder: Where to keep everything; absent: a temporary folder, removed at the end.

    Attributes:
        cluster: How to talk to it, once it is entered.
    """

    cluster: Cluster

    def __init__(self, programs: Programs, folder: Path | None = None) -> None:
        self._programs = programs
        self._given = folder
        self._exit = ExitStack()
        self._processes: dict[str, Process] = {}
        self._tokens = {_ADMIN: secrets.token_hex(16), OPERATOR: secrets.token_hex(16)}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._folder = self._given or Path(undo.enter_context(TemporaryDirectory(prefix="imagesources-")))
            self._folder.mkdir(parents=True, exist_ok=True)
            undo.callback(self._kill)
            self._write_inputs()
            self._start()
            self._write_kubeconfigs()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def stop_apiserver(self) -> None:
        """Kills the apiserver; etcd keeps what it holds."""
        self._processes["kube-apiserver"].kill()

    def start_apiserver(self) -> None:
        """Starts the apiserver again, at the same address, and waits until it is ready.

        Raises:
            ControlPlaneError: It does not come up.
        """
        self._run_apiserver()
        if not self._becomes_ready():
            raise ControlPlaneError(f"Port {self._ports.apiserver} was taken meanwhile.\n{self._logs()}")

    def _start(self) -> None:
        """Starts both programs, again on other ports when another process took one of them first."""
        for _ in range(_TRIES):
            self._ports = _Ports(*free_ports(3))
            self._run_etcd()
            self._run_apiserver()
            if self._becomes_ready():
                return
            self._kill()
        raise ControlPlaneError(f"No free ports in {_TRIES} tries.\n{self._logs()}")

    def _kill(self) -> None:
        for process in self._processes.values():
            process.kill()

    def _run_etcd(self) -> None:
        clients, peers = (f"http://127.0.0.1:{port}" for port in (self._ports.etcd, self._ports.peers))
        self._run(
            "etcd",
            self._programs.etcd,
            f"--data-dir={self._folder}/etcd-{self._ports.etcd}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )

    def _run_apiserver(self) -> None:
        # It makes its certificate and key itself; the same key signs service account tokens.
        key = f"{self._folder}/certs/apiserver.key"
        self._run(
            "kube-apiserver",
            self._programs.apiserver,
            f"--etcd-servers=http://127.0.0.1:{self._ports.etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._ports.apiserver}",
            f"--cert-dir={self._folder}/certs",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self._folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self._folder}/audit-policy.json",
            f"--audit-log-path={self._folder}/audit.log",
        )

    def _run(self, name: str, program: Path, *flags: str) -> None:
        log = self._folder / f"{name}.log"
        self._processes[name] = Process([str(program), *flags], log=log, cwd=self._folder)

    def _becomes_ready(self) -> bool:
        """Waits for readiness; False when a port was lost to another process.

        Raises:
            ControlPlaneError: A program ended for another reason, or it takes too long.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for process in self._processes.values():
                if process.code is not None:
                    if _PORT_TAKEN in process.tail(40):
                        return False
                    raise ControlPlaneError(f"The control plane ended while starting.\n{self._logs()}")
            if self._answers_ok():
                return True
            time.sleep(0.05)
        raise ControlPlaneError(f"The control plane is not ready after {_START_SECONDS:.0f} s.\n{self._logs()}")

    def _answers_ok(self) -> bool:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self._ports.apiserver}/readyz",
            headers={"Authorization": f"Bearer {self._tokens[_ADMIN]}"},
        )
        try:
            trust = ssl.create_default_context(cafile=str(self._certificate))
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
            )
            with opener.open(request, timeout=5) as answer:
                return bool(answer.read() == b"ok")
        except (OSError, http.client.HTTPException):
            return False

    @property
    def _certificate(self) -> Path:
        return self._folder / "certs" / "apiserver.crt"

    def _logs(self) -> str:
        return "\n".join(f"{process.log.name}:\n{process.tail()}" for process in self._processes.values())

    def _write_inputs(self) -> None:
        self._folder.joinpath("audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))
        with self._folder.joinpath("tokens.csv").open("w") as file:
            rows = [(token, user, user, "system:masters") for user, token in self._tokens.items()]
            csv.writer(file).writerows(rows)

    def _write_kubeconfigs(self) -> None:
        server = f"https://127.0.0.1:{self._ports.apiserver}"
        paths = {_ADMIN: self._folder / "kubeconfig", OPERATOR: self._folder / "operator.kubeconfig"}
        for user, path in paths.items():
            write_kubeconfig(path, server, self._certificate.read_bytes(), user, self._tokens[user])
        self.cluster = Cluster(
            kubeconfig=paths[_ADMIN],
            operator_kubeconfig=paths[OPERATOR],
            kubectl=self._programs.kubectl,
            folder=self._folder,
            audit_log=self._folder / "audit.log",
        )
