"""The command line starts fast: help and version import no command."""

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
