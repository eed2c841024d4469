"""``imagesource-operator run``: the operator."""

import asyncio
import os
import signal
import sys
import threading

import click

from imagesources.app import Operator
from imagesources.settings import Settings
from imagesources.telemetry import log, set_up_logging
from imagesources.telemetry.tracing import set_up_tracing

_DEFAULTS = Settings()
_SECONDS = click.FloatRange(min=0)


@click.command()
@click.option(
    "--namespace", "namespaces", multiple=True, metavar="NS", help="Serve this namespace; repeatable.  [default: all]"
)
@click.option(
    "--kubeconfig", envvar="KUBECONFIG", help="How to reach the cluster.  [default: $KUBECONFIG, else as a Pod]"
)
@click.option(
    "--operator-namespace",
    envvar="POD_NAMESPACE",
    default=_DEFAULTS.operator_namespace,
    show_default=True,
    help="Where the Secrets of ClusterHubs are.",
)
@click.option(
    "--allow-host", "allow_hosts", multiple=True, metavar="HOST[:PORT]", help="A platform host beyond the official one."
)
@click.option("--allow-http", is_flag=True, help="Allow plain http on loopback.")
@click.option("--listen", default=_DEFAULTS.listen, show_default=True, help="Serve /livez, /readyz and /metrics here.")
@click.option(
    "--embedded-database",
    default=_DEFAULTS.embedded_database,
    metavar="URL",
    help="Where Hubs with spec.embedded keep their data, such as sqlite:///FILE.  [default: no embedded platform]",
)
@click.option(
    "--settle-time",
    type=_SECONDS,
    default=_DEFAULTS.settle_time,
    hidden=True,
    help="Seconds that the platform is given to show the outcome of an unanswered create.",
)
@click.option(
    "--late-arrival",
    type=_SECONDS,
    default=_DEFAULTS.late_arrival,
    hidden=True,
    help="Seconds after which a request that was sent cannot arrive any more.",
)
@click.option(
    "--embedded-step-seconds",
    default=_DEFAULTS.embedded_step_seconds,
    show_default=True,
    help="How long the embedded platform takes for each step of a job.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--debug", is_flag=True, help="Say more.")
def run(
    *,
    namespaces: tuple[str, ...],
    kubeconfig: str | None,
    operator_namespace: str,
    allow_hosts: tuple[str, ...],
    allow_http: bool,
    listen: str,
    embedded_database: str,
    embedded_step_seconds: float,
    settle_time: float,
    late_arrival: float,
    log_format: str,
    debug: bool,
) -> None:
    """Run the operator until SIGTERM or Ctrl-C."""
    set_up_logging(debug=debug, as_json=log_format == "json")
    settings = Settings(
        namespaces=namespaces,
        operator_namespace=operator_namespace,
        allow_hosts=allow_hosts,
        allow_http=allow_http,
        listen=listen,
        embedded_database=embedded_database,
        embedded_step_seconds=embedded_step_seconds,
        settle_time=settle_time,
        late_arrival=late_arrival,
    )
    end_tracing = set_up_tracing(os.environ)
    code = Process(settings, kubeconfig).run()
    end_tracing()
    sys.exit(code)


class Process:
    """Keeps signals and work apart: the main thread only waits for a signal, so that none is ever missed.

    asyncio's own signal handling goes through a pipe that a burst of work can fill, and then loses the signal.
    """

    def __init__(self, settings: Settings, kubeconfig: str | None) -> None:
        self._settings = settings
        self._kubeconfig = os.path.expanduser(kubeconfig) if kubeconfig else None  # noqa: PTH111 - may be a list
        self._stop = threading.Event()
        self._failed = False

    def run(self) -> int:
        """Run until a signal; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        worker = threading.Thread(target=self._work, name="operator")
        worker.start()
        self._stop.wait()
        worker.join()
        return 1 if self._failed else 0

    def _work(self) -> None:
        try:
            asyncio.run(self._operate())
        except Exception as error:  # noqa: BLE001 - the edge: say why, in one line, and end with an error
            log.error("%s: %s", type(error).__name__, error)
            self._failed = True
        finally:
            self._stop.set()

    async def _operate(self) -> None:
        async with Operator.start(self._settings, self._kubeconfig):
            await asyncio.to_thread(self._stop.wait)
        log.info("stopped")
