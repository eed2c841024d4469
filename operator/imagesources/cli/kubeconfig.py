"""The way to the cluster: the option that tells it, for every command that works as the operator does, and the wait."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import click

from imagesources.kube.api import KubernetesApi
from imagesources.kube.credentials import NoClusterError

_Api = TypeVar("_Api", bound=KubernetesApi)

_SOON = 3.0
"""Seconds after which a person wants to know what is waited for."""


def _expanded(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return os.path.expanduser(value) if value else None  # noqa: PTH111 - may be a list


kubeconfig_option = click.option(
    "--kubeconfig",
    envvar="KUBECONFIG",
    callback=_expanded,
    metavar="FILE",
    help="How to reach the cluster.  [default: $KUBECONFIG, else the service account of the Pod]",
)
"""A path, or several as in ``$KUBECONFIG``; None: as a Pod."""


@asynccontextmanager
async def connected(kind: type[_Api], kubeconfig: str | None) -> AsyncIterator[_Api]:
    """Connect to the cluster.

    Raises:
        click.ClickException: there is no way to it.
    """
    try:
        api = await kind.connect(kubeconfig)
    except NoClusterError as error:
        raise click.ClickException(str(error)) from None
    try:
        yield api
    finally:
        await api.aclose()


@contextmanager
def patience(api: KubernetesApi) -> Iterator[None]:
    """Say whose answer is waited for, where it takes long."""
    message = f"waiting for the Kubernetes API at {api.server} …"
    saying = asyncio.get_running_loop().call_later(_SOON, lambda: click.echo(message, err=True))
    try:
        yield
    finally:
        saying.cancel()
