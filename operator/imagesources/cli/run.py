"""``imagesource-operator run``: the operator."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from imagesources.app import Operator
from imagesources.cli.ending import Stop
from imagesources.cli.forms import ADDRESS, HOST, LEASE, NAMESPACE, SECONDS
from imagesources.cli.kubeconfig import kubeconfig_option
from imagesources.kube.credentials import NoClusterError
from imagesources.kube.default_hub import DefaultHub, HubFileError
from imagesources.kube.probes import ListenError
from imagesources.kube.selector import Selector
from imagesources.platform.hosts import HostPolicy
from imagesources.settings import Settings
from imagesources.telemetry import log, set_up_logging
from imagesources.telemetry.tracing import set_up_tracing

_DEFAULTS = Settings()


def label_selector(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Refuse what is no label selector."""
    try:
        Selector.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


@click.command()
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    type=NAMESPACE,
    metavar="NS",
    help="Serve this namespace; repeatable.  [default: all, and ClusterHubs]",
)
@kubeconfig_option
@click.option(
    "--operator-namespace",
    envvar="POD_NAMESPACE",
    type=NAMESPACE,
    metavar="NS",
    default=_DEFAULTS.operator_namespace,
    show_default=True,
    help="Where the Lease and the Secrets of ClusterHubs are; $POD_NAMESPACE says it too.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    type=HOST,
    metavar="HOST[:PORT]",
    help=f"A platform that Hubs may name, beside {HostPolicy.official}; repeatable.",
)
@click.option("--allow-http", is_flag=True, help="Allow plain http to allowed hosts that are loopback.")
@click.option(
    "--listen",
    type=ADDRESS,
    metavar="HOST:PORT",
    default=_DEFAULTS.listen,
    show_default=True,
    help="Serve /livez, /readyz and /metrics here; port 0 is a free one.",
)
@click.option(
    "--embedded-database",
    envvar="IMAGESOURCES_EMBEDDED_DATABASE",
    default=_DEFAULTS.embedded_database,
    metavar="URL",
    help="Where Hubs with spec.embedded keep their data, such as sqlite:///FILE; a password is safer in "
    "$IMAGESOURCES_EMBEDDED_DATABASE.  [default: no embedded platform]",
)
@click.option(
    "--default-hub",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML with the spec of the ClusterHub default (with --namespace: of the Hub default in the operator's "
    "namespace), which is created if it is absent.",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    default=_DEFAULTS.leader_elect,
    show_default=True,
    help="Of several operators let one work and the others stand by.",
)
@click.option(
    "--lease-name",
    type=LEASE,
    default="",
    metavar="NAME",
    help="With --leader-elect: the Lease to hold.  [default: named by what is served]",
)
@click.option(
    "--lease-seconds",
    type=click.IntRange(min=3),
    default=_DEFAULTS.lease_seconds,
    show_default=True,
    help="With --leader-elect: how long after a crash another operator begins.",
)
@click.option(
    "--shard-selector",
    default="",
    metavar="SELECTOR",
    callback=label_selector,
    help="Reconcile ImageSources with these labels only; another operator looks after the rest.",
)
@click.option(
    "--settle-time",
    type=SECONDS,
    default=_DEFAULTS.settle_time,
    hidden=True,
    help="Seconds that the platform is given to show the outcome of an unanswered create.",
)
@click.option(
    "--late-arrival",
    type=SECONDS,
    default=_DEFAULTS.late_arrival,
    hidden=True,
    help="Seconds after which a request that was sent cannot arrive any more.",
)
@click.option(
    "--embedded-step-seconds",
    type=SECONDS,
    metavar="SECONDS",
    default=_DEFAULTS.embedded_step_seconds,
    show_default=True,
    help="How long the embedded platform takes for each step of a job.",
)
@click.option("--loop-limit", type=SECONDS, default=_DEFAULTS.loop_limit, hidden=True, help="When /livez says no.")
@click.option("--pass-limit", type=SECONDS, default=_DEFAULTS.pass_limit, hidden=True, help="When /livez says no.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
@click.option("--debug", is_flag=True, help="Log each step and each call too.")
def run(
    *,
    kubeconfig: str | None,
    default_hub: Path | None,
    log_format: str,
    debug: bool,
    **options: Any,  # noqa: ANN401 - every other option has the name and type of a setting
) -> None:
    """Run the operator until SIGTERM or Ctrl-C."""
    settings = Settings(**options)
    _check(settings)
    process = Process(settings, kubeconfig, read_default_hub(default_hub, settings))
    set_up_logging(debug=debug, as_json=log_format == "json")
    end_tracing = set_up_tracing(os.environ)
    code = process.run()
    end_tracing()
    sys.exit(code)


def _check(settings: Settings) -> None:
    """Refuse what does not go together."""
    several = "--leader-elect" if settings.leader_elect else "--shard-selector" if settings.shard_selector else None
    if several and settings.embedded_database.startswith("sqlite"):
        message = (
            f"{several} means several operators, and an SQLite file belongs to one: use PostgreSQL, or one operator."
        )
        raise click.UsageError(message)


def read_default_hub(default_hub: Path | None, settings: Settings) -> DefaultHub | None:
    """Read the file, if there is one; refuse one that describes no Hub, or one that nobody would look after."""
    if default_hub is None:
        return None
    namespace = settings.operator_namespace if settings.namespaces else ""
    if namespace and namespace not in settings.namespaces:
        message = f"--default-hub creates a Hub in {namespace}, which is not served: add --namespace {namespace}."
        raise click.UsageError(message)
    try:
        return DefaultHub.read(default_hub, namespace)
    except HubFileError as error:
        raise click.BadParameter(str(error), param_hint="--default-hub") from None


class Process:
    """The operator until a signal, or until it has to end by itself."""

    def __init__(self, settings: Settings, kubeconfig: str | None, default_hub: DefaultHub | None) -> None:
        self._settings = settings
        self._default_hub = default_hub
        self._kubeconfig = kubeconfig
        self._stop = Stop()
        self._failed = False

    def run(self) -> int:
        """Run until a signal; returns the exit code."""
        with self._stop:
            try:
                asyncio.run(self._operate())
            except (NoClusterError, ListenError) as error:
                log.error("%s", error)
                self._failed = True
            except Exception as error:  # noqa: BLE001 - the edge: say why, in one line, and end with an error
                log.error("%s: %s", type(error).__name__, error)
                self._failed = True
        return 1 if self._failed else 0

    async def _operate(self) -> None:
        starting = Operator.start(
            self._settings, self._kubeconfig, default_hub=self._default_hub, on_lost=self._end_in_failure
        )
        async with starting:
            try:
                await asyncio.to_thread(self._stop.wait)
            finally:
                self._stop.now()  # cancelled, as a part of the embedded platform failed: the thread must end, too
        log.info("stopped")

    def _end_in_failure(self) -> None:
        """End, to be started again with nothing in memory: another may have worked on what is remembered there."""
        self._failed = True
        self._stop.now()
