"""Where the demo plays: a namespace of a cluster, the operator as a process, and kubectl for everybody to see."""

import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from imagesources.cli.ending import Ending
from imagesources.controlplane import Cluster, Process

NAMESPACE = "imagesources-demo"
_STOP_SECONDS = 30.0  # as the chart gives a Pod


class Stage:
    """Prints each command as a person would type it, and its real output below; a command that fails ends the demo.

    Args:
        cluster: Where to play, in a namespace of its own.
        folder: For temporary files.
        ending: Asked between commands, and while one runs that is followed.
        cwd: What relative paths in commands mean.
        borrowed: The cluster outlives the demo, so everything made there is removed at the end.
    """

    def __init__(self, cluster: Cluster, folder: Path, ending: Ending, *, cwd: Path, borrowed: bool) -> None:
        self._cluster = cluster
        self._folder = folder
        self._ending = ending
        self._cwd = cwd
        self._removes = borrowed
        self._kubeconfig = folder / "demo.kubeconfig"
        self._steps = 0
        self._operator: Process | None = None
        self._made: list[tuple[str, ...]] = []  # the newest first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.shield()
        for what in self._made if self._removes else ():  # while the operator runs, as it drops the finalizers
            with suppress(OSError):  # nobody may be left to read it
                click.echo(f"Removing {shlex.join(what)} …")
            self._run("delete", *what, "--ignore-not-found", "--timeout=60s")
        self._stop_operator()

    def step(self, title: str) -> None:
        """Announces a step by one line."""
        self._steps += 1
        click.secho(f"\n{self._steps}. {title}", bold=True)

    def install(self, crds: str) -> None:
        """Applies the CRDs of a folder and makes the namespace, which later commands need not name."""
        if self._is_absent("-f", crds):
            self._made = [("-f", crds)]
        self.kubectl("apply", "--server-side", "-f", crds)
        self.output("wait", "--for=condition=Established", "-f", crds)
        if self._is_absent("namespace", NAMESPACE):
            self._made = [
                ("imagesources", "--all", f"--namespace={NAMESPACE}"),
                ("namespace", NAMESPACE, "--wait=false"),
                *self._made,
            ]
        self.kubectl("create", "namespace", NAMESPACE)
        self._kubeconfig.touch(mode=0o600)
        self._kubeconfig.write_text(self.output("config", "view", "--raw", "--flatten", "--minify"))
        self._cluster = self._cluster.with_kubeconfig(self._kubeconfig)
        self.kubectl("config", "set-context", "--current", f"--namespace={NAMESPACE}")

    def start_operator(self) -> None:
        """Starts the operator as a process of its own; its log goes to a file."""
        flags = {
            "--namespace": NAMESPACE,
            "--kubeconfig": str(self._cluster.operator_kubeconfig),
            "--listen": "127.0.0.1:0",
            "--embedded-database": f"sqlite:///{self._folder}/platform.db",
            "--embedded-step-seconds": "1.6",
        }
        arguments = ["run", *(word for flag in flags.items() for word in flag)]
        _show("imagesource-operator", *arguments)
        argv = [sys.executable, "-m", "imagesources", *arguments]
        self._operator = Process(argv, log=self._folder / "operator.log")

    def kubectl(self, *args: str) -> None:
        """Runs kubectl and shows the command and its output."""
        _show("kubectl", *args)
        click.echo(self.output(*args).rstrip("\n"))

    def follow(self, *get: str, until: tuple[str, ...]) -> None:
        """Shows the rows of ``kubectl get --watch`` as they change, until another kubectl command ends."""
        _show("kubectl", *get, "--watch")
        rows, end = self._folder / "rows", self._folder / "end"
        for path in (rows, end):
            path.write_text("")
        shown = _Rows(rows)
        with (
            Process(self._cluster.command(*get, "--watch"), log=rows),
            Process(self._cluster.command(*until), log=end) as condition,
        ):
            while condition.code is None:
                time.sleep(0.1)
                shown.show()
                self._check()
        shown.show()
        if condition.code:
            raise click.ClickException(f"{condition.tail()}\n{self._operator_log()}")

    def keep(self) -> None:
        """Says how to use the cluster and waits for a signal."""
        click.secho("\nKept running until Ctrl-C. In another terminal:", bold=True)
        click.echo(environment(self._kubeconfig, self._cluster.kubectl))
        click.echo(f"tail -f {shlex.quote(str(self._folder / 'operator.log'))}")
        while True:
            time.sleep(0.5)
            self._check()

    def output(self, *args: str) -> str:
        """What kubectl prints; nothing is shown.

        Raises:
            click.ClickException: kubectl failed; holds its words and the end of the operator's log.
        """
        answer = self._run(*args)
        self._check()
        if answer.returncode:
            raise click.ClickException(f"kubectl {shlex.join(args)}\n{answer.stderr}{self._operator_log()}")
        return answer.stdout

    def _is_absent(self, *what: str) -> bool:
        return not self.output("get", *what, "--ignore-not-found", "--output=name")

    def _run(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = self._cluster.command(*args)
        return subprocess.run(command, cwd=self._cwd, capture_output=True, text=True, check=False)

    def _check(self) -> None:
        self._ending.check()
        if self._operator is not None and (code := self._operator.code) is not None:
            raise click.ClickException(f"The operator ended with exit code {code}.\n{self._operator_log()}")

    def _operator_log(self) -> str:
        return f"The operator's log:\n{self._operator.tail(20)}" if self._operator is not None else ""

    def _stop_operator(self) -> None:
        if self._operator is not None:
            self._operator.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._operator.wait(_STOP_SECONDS)
            self._operator.kill()


def environment(kubeconfig: Path, kubectl: Path) -> str:
    """Write the shell command after which ``kubectl`` and ``imagesource-operator`` mean the demo's."""
    programs = ":".join(shlex.quote(str(path)) for path in (kubectl.parent, Path(sys.executable).parent))
    return f"export KUBECONFIG={shlex.quote(str(kubeconfig))} PATH={programs}:$PATH"


def _show(*command: str) -> None:
    click.secho(f"$ {shlex.join(command)}", fg="cyan")


class _Rows:
    """Prints what ``kubectl get --watch`` writes to a file, as it comes.

    kubectl prints a row for every change, visible in it or not: a row that tells no more than the last one of the same
    name, but for its age, is left out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        self._cells = slice(None)
        self._last: dict[str, list[str]] = {}

    def show(self) -> None:
        """Print the complete lines that are new."""
        for line in self._path.read_text().split("\n")[self._count : -1]:
            name, _, rest = line.partition(" ")
            if not self._count and rest.endswith("AGE"):
                self._cells = slice(-1)
            cells = rest.split()[self._cells]
            if self._last.get(name) != cells:
                click.echo(line)
            self._last[name] = cells
            self._count += 1
