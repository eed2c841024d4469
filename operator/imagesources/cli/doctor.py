"""``imagesource-operator doctor``: what is wrong in a cluster, and what to do about it."""

import asyncio
import json
import sys
import textwrap
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from imagesources.cli.forms import ACCOUNT, HOST, LEASE, NAMESPACE
from imagesources.cli.kubeconfig import connected, kubeconfig_option, patience
from imagesources.cli.run import label_selector, read_default_hub
from imagesources.kube.default_hub import DefaultHub
from imagesources.kube.doctor import Finding, Level, Reader, examine
from imagesources.settings import Settings

_DEFAULTS = Settings()
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
_WIDTH = 120
_INDENT = 17


@click.command()
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    type=NAMESPACE,
    metavar="NS",
    help="As the operator has it; repeatable.  [default: all]",
)
@kubeconfig_option
@click.option(
    "--operator-namespace",
    envvar="POD_NAMESPACE",
    type=NAMESPACE,
    metavar="NS",
    default=_DEFAULTS.operator_namespace,
    show_default=True,
    help="Where the operator runs; $POD_NAMESPACE says it too.",
)
@click.option(
    "--account",
    type=ACCOUNT,
    default="",
    metavar="NS:NAME",
    help="Whose rights to check: the operator's service account.  [default: who asks]",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    default=_DEFAULTS.leader_elect,
    show_default=True,
    help="As the operator has it; only the Lease tells whether an operator runs.",
)
@click.option("--lease-name", type=LEASE, default="", metavar="NAME", help="As the operator has it.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    type=HOST,
    metavar="HOST[:PORT]",
    help="As the operator has it; repeatable.",
)
@click.option(
    "--shard-selector", default="", metavar="SELECTOR", callback=label_selector, help="As the operator has it."
)
@click.option("--allow-http", is_flag=True, help="As the operator has it.")
@click.option(
    "--default-hub", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="As the operator has it."
)
@click.option("--strict", is_flag=True, help="Exit with 1 on a warning too.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
def doctor(
    *,
    namespaces: tuple[str, ...],
    kubeconfig: str | None,
    operator_namespace: str,
    account: str,
    leader_elect: bool,
    lease_name: str,
    shard_selector: str,
    allow_hosts: tuple[str, ...],
    allow_http: bool,
    default_hub: Path | None,
    strict: bool,
    output: str,
) -> None:
    """Check a cluster, and say what is wrong and what to do.

    A line is ok, warn (something waits for somebody) or FAIL (the operator cannot do its work); with a FAIL the exit
    code is 1. It reads and never writes; each Hub's platform is asked for one source, with the key that the Hub names.
    """
    settings = Settings(
        namespaces=namespaces,
        operator_namespace=operator_namespace,
        leader_elect=leader_elect,
        lease_name=lease_name,
        shard_selector=shard_selector,
        allow_hosts=allow_hosts,
        allow_http=allow_http,
    )
    wanted = read_default_hub(default_hub, settings)
    findings = asyncio.run(_examined(settings, kubeconfig, account, wanted, show=output == "text"))
    bad = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    healthy = not any(finding.level in bad for finding in findings)
    if output == "json":
        click.echo(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2))
    sys.exit(0 if healthy else 1)


async def _examined(
    settings: Settings, kubeconfig: str | None, account: str, default_hub: DefaultHub | None, *, show: bool
) -> list[Finding]:
    findings: list[Finding] = []
    async with connected(Reader, kubeconfig) as reader:
        with ExitStack() as first:
            first.enter_context(patience(reader))
            async for finding in examine(reader, settings, account, default_hub):
                first.close()
                findings.append(finding)
                if show:
                    _show(finding)
    return findings


def _show(finding: Finding) -> None:
    """Print a finding: level, check and message, with the remedy below."""
    level = click.style(f"{finding.level:<5}", fg=_COLOURS[finding.level], bold=finding.level is not Level.OK)
    indent = " " * _INDENT
    text = textwrap.fill(finding.message, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)
    click.echo(f"{level} {finding.check:<10} {textwrap.indent(text, indent).lstrip()}")
    if finding.remedy and finding.level is not Level.OK:
        click.echo(f"{indent}→ {finding.remedy}")
