"""The command line starts fast: help and version import no command."""

import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from imagesources.cli import COMMANDS, main


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
