"""The command line: ``imagesource-operator run | serve | platform | demo``."""

from importlib.metadata import version

import click

from imagesources.cli.demo import demo
from imagesources.cli.platform import platform
from imagesources.cli.run import run
from imagesources.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("imagesource-operator"), prog_name="imagesource-operator")
def main() -> None:
    """Kubernetes operator for Cycle image sources."""


for command in (run, serve, platform, demo):
    main.add_command(command)
