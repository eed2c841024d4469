"""``imagesource-operator uninstall``: makes sure that nothing in the cluster waits for an operator that is gone."""

import asyncio
import shlex
from collections import defaultdict
from collections.abc import Iterable

import click
from click.core import ParameterSource

from imagesources.cli.forms import NAMESPACE
from imagesources.cli.kubeconfig import connected, kubeconfig_option, patience
from imagesources.kube.api import KubernetesApi
from imagesources.kube.doctor.finding import listed
from imagesources.kube.uninstall import Leaving
from imagesources.reconcile.ports import KubernetesError
from imagesources.resources.base import UnreadableError
from imagesources.resources.conditions import counted
from imagesources.resources.imagesource import ImageSource

_RESUME = '{"spec":{"suspend":false}}'


@click.command()
@click.option("--orphan", is_flag=True, help="Let ImageSources go; their sources on the platform stay as they are.")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    type=NAMESPACE,
    metavar="NS",
    help="Look into this namespace alone, as the operator does; repeatable.  [default: all]",
)
@kubeconfig_option
def uninstall(*, orphan: bool, namespaces: tuple[str, ...], kubeconfig: str | None) -> None:
    """Prepare the cluster for the end of the operator; run it before the operator is removed.

    While ImageSources exist it refuses, with exit code 1, as nobody would look after them any more. With --orphan they
    are suspended and lose the operator's finalizer: they stay as data, can be deleted, and nothing happens on the
    platform. Once none is left that needs the operator, Hubs lose its finalizer too.
    """
    try:
        asyncio.run(_uninstall(kubeconfig, namespaces, orphan=orphan))
    except KubernetesError as error:
        raise click.ClickException(f"the Kubernetes API failed: {error}") from None
    except UnreadableError as error:
        raise click.ClickException(f"{error}, or delete it") from None


async def _uninstall(kubeconfig: str | None, namespaces: tuple[str, ...], *, orphan: bool) -> None:
    async with connected(KubernetesApi, kubeconfig) as api:
        leaving = Leaving(api, namespaces)
        with patience(api):
            waiting = await leaving.waiting()
        if orphan:
            await _let_go(leaving)
            waiting = await leaving.waiting()
        if waiting:
            raise click.ClickException(_refusal(waiting, namespaces, orphan=orphan))
        await leaving.release_hubs()
        where = f"in {' and '.join(namespaces)}" if namespaces else "in the cluster"
        click.echo(f"Nothing {where} waits for the operator; it can be removed.")


async def _let_go(leaving: Leaving) -> None:
    """Let all go, and say which those were, even where it ends amid them: what is suspended tells nobody why."""
    gone: dict[str, ImageSource] = {}
    try:
        async for resource in leaving.let_go():
            gone.setdefault(resource.metadata.uid, resource)
    finally:
        if gone:
            count = counted(len(gone), "ImageSource")
            click.echo(f"Let go: {count}, suspended now. Their sources on the platform stay as they are.")
        if resumable := [each for each in gone.values() if not (each.spec.suspend or each.metadata.deletion_timestamp)]:
            click.echo("A later installation goes on with those that were not suspended before, after:")
            click.echo("\n".join(_resuming(resumable)))


def _resuming(resources: Iterable[ImageSource]) -> Iterable[str]:
    """Write a command for each namespace that lifts the suspension of these resources, and of no others."""
    names = defaultdict(list)
    for resource in resources:
        names[resource.metadata.namespace].append(resource.metadata.name)
    for namespace, some in sorted(names.items()):
        patch = f"kubectl patch imagesource $name{_flags([namespace])} --type=merge --patch={shlex.quote(_RESUME)}"
        yield f"  for name in {' '.join(sorted(some))}; do {patch}; done"


def _refusal(waiting: list[ImageSource], namespaces: tuple[str, ...], *, orphan: bool) -> str:
    named = listed("/".join(resource.key) for resource in waiting)
    count = counted(len(waiting), "ImageSource")
    if orphan:
        return f"{count} came back: {named}. Pause what applies them, and try again."
    deletions = [f"  kubectl delete imagesources --all{_flags([each])}" for each in namespaces]
    why = "Without the operator nobody could delete what is held for it."
    lines = (
        f"{count} {'exists' if len(waiting) == 1 else 'exist'}: {named}. {why}",
        "Delete the ImageSources first; their sources on the platform are deleted too:",
        *(deletions or [f"  kubectl delete imagesources --all --all-namespaces{_flags([])}"]),
        "or keep the sources, and let go of them:",
        f"  imagesource-operator uninstall --orphan{_flags(namespaces)}",
    )
    return "\n".join(lines)


def _flags(namespaces: Iterable[str]) -> str:
    """Write the flags that say where, as kubectl and this command have them; both read $KUBECONFIG."""
    context = click.get_current_context()
    flags = [f"--namespace={namespace}" for namespace in namespaces]
    if context.get_parameter_source("kubeconfig") is ParameterSource.COMMANDLINE:
        flags.append(f"--kubeconfig={context.params['kubeconfig']}")
    return "".join(f" {shlex.quote(flag)}" for flag in flags)
