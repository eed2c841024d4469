"""``imagesource-operator demo``: the operator at work on a real Kubernetes API, on this machine, step by step."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from imagesources.cli.ending import Ending
from imagesources.cli.stage import Stage
from imagesources.controlplane import ControlPlaneError, Programs, find

_ROOT = Path(__file__).parents[3]
_OWNER = {"view": True, "modify": True, "manage": True}
_DEVELOPER = {"view": True, "modify": False, "manage": False}
_READY = ("wait", "--for=condition=Ready", "--timeout=60s")
_EDITED = "TARGET:.spec.origin.details.target,GENERATION:.metadata.generation,SETTLED:.status.settledGeneration"
_JOB = (
    'NAME:.metadata.name,REASON:.status.conditions[?(@.type=="Ready")].reason,JOB:.status.job.state,'
    "PROGRESS:.status.job.progress,TASKS:.status.job.tasks[*].caption"
)


@click.command()
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="Use the cluster of this kubeconfig.  [default: find or build a control plane]",
)
@click.option("--keep", is_flag=True, help="Keep everything running at the end, until Ctrl-C.")
def demo(*, kubeconfig: Path | None, keep: bool) -> None:
    """Show the main job on a real Kubernetes API: sources are created, edited, shared and deleted.

    Ctrl-C ends it at any moment; nothing is left behind.
    """
    ending = Ending()
    try:
        with _stage(kubeconfig, ending) as stage:
            _play(stage)
            if keep:
                stage.keep()
    except ControlPlaneError as error:
        ending.check()  # as the reason, where Ctrl-C reached kind too
        raise click.ClickException(str(error)) from error
    click.secho("\nThat was all; nothing is left running.", bold=True)


@contextmanager
def _stage(kubeconfig: Path | None, ending: Ending) -> Iterator[Stage]:
    """A stage on a cluster that is found or started; all of it is gone at the end."""
    with TemporaryDirectory(prefix="imagesources-demo-") as name:
        folder = Path(name)
        with ending.at_once():
            found = find(click.echo, kubeconfig)
        click.secho(f"Kubernetes: {found.origin}", bold=True)
        borrowed = not isinstance(found, Programs)
        with found.cluster(folder) as cluster, Stage(cluster, folder, ending, cwd=_ROOT, borrowed=borrowed) as stage:
            yield stage


def _play(stage: Stage) -> None:
    stage.step("The resources ImageSource, Hub and ClusterHub, and a namespace")
    stage.install("crds")
    stage.step("The operator, with an embedded platform to work against")
    stage.start_operator()

    stage.step("A Hub, and one source per type of origin with the credentials it names")
    stage.kubectl("apply", "-f", "manifests/samples")
    stage.step("Their way to Ready")
    stage.follow("get", "imagesources", until=(*_READY, "imagesources", "--all"))
    stage.step("All of them")
    stage.kubectl("get", "imagesources")

    stage.step("An edit: only what changed is sent to the platform")
    _patch(stage, {"origin": {"details": {"target": "nginx:1.30"}}})
    stage.kubectl("get", "imagesource", "web", "-o", f"custom-columns={_EDITED}")
    stage.step("Other access: owners may do everything, developers may look, nobody else may do anything")
    _patch(stage, {"acl": {"roles": {"owner": _OWNER, "developer": _DEVELOPER}}})
    stage.kubectl("get", "imagesource", "web", "-o", "jsonpath={.status.acl}")

    stage.step("A delete: a job of the platform's; the resource goes when its source is gone")
    stage.kubectl("delete", "imagesource", "worker", "--wait=false")
    gone = ("wait", "--for=delete", "--timeout=60s", "imagesource/worker")
    stage.follow("get", "imagesource", "worker", "-o", f"custom-columns={_JOB}", until=gone)
    stage.kubectl("get", "imagesources")
    stage.step("What was done to the two, in events")
    stage.kubectl("events", "--for", "imagesource/web")
    stage.kubectl("events", "--for", "imagesource/worker")


def _patch(stage: Stage, spec: dict[str, object]) -> None:
    stage.kubectl("patch", "imagesource", "web", "--type=merge", "-p", json.dumps({"spec": spec}))
    stage.kubectl(*_READY, "imagesource/web")
