"""``imagesource-operator uninstall``: makes sure that nothing in the cluster waits for an operator that is gone."""

import asyncio

import click

from imagesources.cli.kubeconfig import kubeconfig_option
from imagesources.kube.api import KubernetesApi
from imagesources.kube.uninstall import Leaving
from imagesources.reconcile.ports import KubernetesError
from imagesources.resources.base import UnreadableError
from imagesources.resources.imagesource import ImageSource

_NAMED = 5
_RESUME = 'kubectl patch imagesource NAME --type=merge --patch=\'{"spec":{"suspend":false}}\''


@click.command()
@click.option("--orphan", is_flag=True, help="Let ImageSources go; their sources on the platform stay as they are.")
@click.option("--namespace", "namespaces", multiple=True, metavar="NS", help="As for run; repeatable.  [default: all]")
@kubeconfig_option
def uninstall(*, orphan: bool, namespaces: tuple[str, ...], kubeconfig: str | None) -> None:
    """Prepare the cluster for the end of the operator; run it before the operator is removed.

    While ImageSources exist it refuses, with exit code 1, as nobody would look after them any more. With --orphan they
    are suspended and lose the operator's finalizer: they stay as data, can be deleted, and nothing happens on the
    platform. Hubs lose the operator's finalizer too.
    """
    try:
        asyncio.run(_uninstall(kubeconfig, namespaces, orphan=orphan))
    except KubernetesError as error:
        raise click.ClickException(f"the Kubernetes API failed: {error}") from None
    except UnreadableError as error:
        raise click.ClickException(f"{error}, or delete it") from None


async def _uninstall(kubeconfig: str | None, namespaces: tuple[str, ...], *, orphan: bool) -> None:
    api = await KubernetesApi.connect(kubeconfig)
    try:
        leaving = Leaving(api, namespaces)
        if orphan and (count := await leaving.let_go()):
            click.echo(f"Let go: {_counted(count)}, suspended now. Their sources on the platform stay as they are.")
            click.echo(f"A later installation goes on with one after: {_RESUME}")
        if waiting := await leaving.waiting():
            raise click.ClickException(_refusal(waiting, orphan=orphan))
        await leaving.release_hubs()
        click.echo("Nothing in the cluster waits for the operator; it can be removed.")
    finally:
        await api.aclose()


def _refusal(waiting: list[ImageSource], *, orphan: bool) -> str:
    named = ", ".join("/".join(resource.key) for resource in waiting[:_NAMED])
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    if orphan:
        return f"{_counted(len(waiting))} came back: {named}{more}. Pause what applies them, and try again."
    return (
        f"{_counted(len(waiting))} exist: {named}{more}. Without the operator they could not be deleted. Delete them "
        "first (kubectl delete imagesources --all --all-namespaces; their sources on the platform are deleted too), or "
        "keep the sources and let go of them: imagesource-operator uninstall --orphan"
    )


def _counted(number: int) -> str:
    return f"{number} ImageSource{'' if number == 1 else 's'}"
