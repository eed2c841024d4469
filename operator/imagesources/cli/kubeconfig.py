"""The option that tells how the cluster is reached, for every command that works as the operator does."""

import os

import click


def _expanded(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return os.path.expanduser(value) if value else None  # noqa: PTH111 - may be a list


kubeconfig_option = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    callback=_expanded,
    help="How to reach the cluster.  [default: $KUBECONFIG, else as a Pod]",
)
"""A path, or several as in ``$KUBECONFIG``; None: as a Pod."""
