"""The command line: it starts fast, refuses what can mean nothing, and what it prints to be typed works."""

import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests.support.builders import image_source

from imagesources.cli import COMMANDS, main
from imagesources.cli.stage import environment
from imagesources.cli.uninstall import _refusal, uninstall
from imagesources.platform.hosts import HostPolicy, is_place


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_the_command_says(name: str) -> None:
    """The list of commands shows the first sentence of each command's own help."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_no_command(argument: str) -> None:
    """Neither kopf nor a client of Kubernetes nor SQLAlchemy is loaded to print help."""
    program = (
        "import sys; from imagesources.cli import main; main([sys.argv[1]], standalone_mode=False); "
        "print(sorted({'kopf', 'kubernetes', 'sqlalchemy', 'aiohttp'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", program, argument], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_unknown_command() -> None:
    """A command that does not exist is named."""
    answer = CliRunner().invoke(main, ["nothing"])
    assert answer.exit_code == 2
    assert "No such command 'nothing'" in answer.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("run --namespace SHOP", "'--namespace': 'SHOP' is not the name of a namespace"),
        ("uninstall --namespace a/b", "'--namespace': 'a/b' is not the name of a namespace"),
        ("doctor --operator-namespace a.b", "'--operator-namespace': 'a.b' is not the name of a namespace"),
        ("run --allow-host http://x:1", "'--allow-host': 'http://x:1' is not HOST or HOST:PORT: no scheme"),
        ("doctor --allow-host *.example.com", "'--allow-host': '*.example.com' is not HOST or HOST:PORT"),
        ("run --listen 8090", "'--listen': '8090' is not HOST:PORT"),
        ("run --listen 127.0.0.1:80900", "'--listen': '127.0.0.1:80900' is not HOST:PORT"),
        ("run --lease-name My_Lease", "'--lease-name': 'My_Lease' is not the name of a Lease"),
        ("serve --step-seconds nan", "'--step-seconds': 'nan' is not a number of seconds"),
        ("run --embedded-step-seconds nan", "'--embedded-step-seconds': 'nan' is not a number of seconds"),
        ("run --settle-time inf", "'--settle-time': 'inf' is not a number of seconds"),
        ("doctor --account operator", "'--account': 'operator' is not NAMESPACE:NAME of a service account"),
    ],
)
def test_options_that_can_mean_nothing(arguments: str, says: str) -> None:
    """What can never match is refused, with the option and the form that it wants."""
    answer = CliRunner().invoke(main, arguments.split(" "))
    assert answer.exit_code == 2
    assert says in " ".join(answer.output.split())


@pytest.mark.parametrize("text", ["x", "x:1", "Platform.example.com:8443", "10.0.0.1", "[::1]:8080", "localhost:443"])
def test_hosts(text: str) -> None:
    """A host that may be allowed is one that the URL of a Hub can name."""
    assert is_place(text)
    assert HostPolicy(allow_hosts=(text,)).objection(f"https://{text}") == ""


@pytest.mark.parametrize("text", ["", "x/y", "u@x", "x:99999", "x y", "x?y", "https://x", "*"])
def test_no_hosts(text: str) -> None:
    """Anything that no URL of a Hub has as its place is not a host."""
    assert not is_place(text)


def test_doctor_has_the_defaults_of_the_operator() -> None:
    """Without flags the doctor looks at an operator without flags."""
    run, doctor = (main.get_command(click.Context(main), name) for name in ("run", "doctor"))
    assert run and doctor
    defaults = {option.name: option.default for option in run.params}
    shared = {option.name: option.default for option in doctor.params if option.name in defaults}
    assert shared.keys() >= {"namespaces", "kubeconfig", "leader_elect", "lease_name", "allow_hosts", "allow_http"}
    assert shared == {name: defaults[name] for name in shared}


def test_demo_says_how_to_reach_it(tmp_path: Path) -> None:
    """After what the demo prints for another terminal both programs are found, whatever is in their paths."""
    folder = tmp_path / "with space"
    folder.mkdir()
    kubectl = folder / "kubectl"
    kubectl.touch(mode=0o755)
    typed = [environment(folder / "demo.kubeconfig", kubectl), "command -v kubectl", "command -v imagesource-operator"]
    script = "\n".join([*typed, 'echo "$KUBECONFIG"'])
    found = subprocess.run(["sh", "-c", script], env={"PATH": "/bin"}, capture_output=True, text=True, check=True)
    program = Path(sys.executable).with_name("imagesource-operator")
    assert found.stdout.splitlines() == [str(kubectl), str(program), str(folder / "demo.kubeconfig")]


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ([], ["kubectl delete imagesources --all --all-namespaces", "imagesource-operator uninstall --orphan"]),
        (
            ["--namespace=a", "--namespace=b", "--kubeconfig=my config"],
            [
                "kubectl delete imagesources --all --namespace=a '--kubeconfig=my config'",
                "kubectl delete imagesources --all --namespace=b '--kubeconfig=my config'",
                "imagesource-operator uninstall --orphan --namespace=a --namespace=b '--kubeconfig=my config'",
            ],
        ),
    ],
)
def test_uninstall_advises_for_the_same_place(
    arguments: list[str], commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What uninstall advises is for the namespaces and the cluster that it was given, and nothing beyond."""
    monkeypatch.setenv("KUBECONFIG", "of-the-shell")
    with uninstall.make_context("uninstall", list(arguments)) as context:
        advice = _refusal([image_source()], context.params["namespaces"], orphan=False)
    assert advice.startswith("1 ImageSource exists: shop/web. ")
    assert [line.strip() for line in advice.splitlines() if line.startswith("  ")] == commands


@pytest.mark.parametrize(
    ("command", "module"), [("run", "imagesources.cli"), ("run", "click"), ("run", "kopf"), ("serve", "sqlalchemy")]
)
def test_sigterm_has_a_handler_before_the_imports(command: str, module: str) -> None:
    """A SIGTERM amid the imports ends the process by a handler: without one, a container's first process loses it."""
    program = f"""
import os, runpy, signal, sys
class Import:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Import())
sys.argv[1:] = [{command!r}]
runpy.run_module("imagesources", run_name="__main__")
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (128 + signal.SIGTERM, "")
