"""The command line: ``imagesource-operator``; a command's module is imported when the command is asked for."""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

import click

COMMANDS: Final = {
    "run": "Run the operator until SIGTERM or Ctrl-C.",
    "serve": "Serve the embedded platform: the Image Sources API on your own machine.",
    "platform": "Administer an embedded platform: hubs, roles, API keys, integrations.",
    "doctor": "Check a cluster, and say what is wrong and what to do.",
    "uninstall": "Prepare the cluster for the end of the operator; run it before the operator is removed.",
    "demo": "Show the main job on a real Kubernetes API: sources are created, edited, shared and deleted.",
}
"""Each command, in the module of ``cli`` that has its name, and its first sentence, so that help imports none."""


class _Commands(click.Group):
    """Imports what is used: kopf, both Kubernetes clients and SQLAlchemy take most of a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in COMMANDS:
            return None
        if find_spec(f"imagesources.cli.{cmd_name}") is None:
            raise click.ClickException(f"{cmd_name} is in a clone of the repository only; there: make {cmd_name}")
        command: click.Command = getattr(import_module(f"imagesources.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("imagesource-operator"), prog_name="imagesource-operator")
def main() -> None:
    """Kubernetes operator for Cycle image sources."""
