"""``imagesource-operator serve``: the embedded platform alone."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.exc import SQLAlchemyError

from imagesources.cli.ending import Stop
from imagesources.cli.forms import SECONDS
from imagesources.embedded import EmbeddedPlatform, Options, TlsFiles

KEY_NAME = "serve"
_DEFAULTS = Options()
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

DATABASE: Final[dict[str, Any]] = {
    "envvar": "IMAGESOURCES_DATABASE",
    "default": "sqlite:///imagesources.db",
    "show_default": True,
    "metavar": "URL",
    "help": "SQLite file, or postgresql://USER:PASSWORD@HOST/NAME; a password is safer in $IMAGESOURCES_DATABASE.",
}
"""What the option ``--database`` is, here and in ``platform``."""


@click.command()
@click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, help="Address to serve on; port 0 is a free one."
)
@click.option("--database", **DATABASE)
@click.option("--tls-cert", type=_FILE, help="Serve https with this certificate (PEM); it is renewed with its file.")
@click.option("--tls-key", type=_FILE, help="The certificate's private key (PEM).")
@click.option("--hub-id", envvar="IMAGESOURCES_HUB_ID", help="Id of the hub, 24 hex digits.  [default: generated once]")
@click.option("--api-key", envvar="IMAGESOURCES_API_KEY", help="The API key to accept.  [default: generated once]")
@click.option(
    "--step-seconds",
    type=SECONDS,
    metavar="SECONDS",
    default=_DEFAULTS.step_seconds,
    show_default=True,
    help="How long each step of a job takes.",
)
@click.option("--mask-credentials", is_flag=True, help="Show credentials in origins as ********.")
@click.option("--requests-per-second", default=0, show_default=True, help="Limit for each API key; 0 is none.")
@click.option("--fail-jobs", default=0, hidden=True, help="For tests: let the first so many jobs fail.")
def serve(
    *,
    listen: str,
    database: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    hub_id: str | None,
    api_key: str | None,
    step_seconds: float,
    mask_credentials: bool,
    requests_per_second: int,
    fail_jobs: int,
) -> None:
    """Serve the embedded platform: the Image Sources API on your own machine.

    Prints the hub's id and, the first time, an API key; the key is not stored, so keep it, or give one with
    --api-key. Stop it with Ctrl-C.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    options = Options(
        step_seconds=step_seconds,
        mask_credentials=mask_credentials,
        requests_per_second=requests_per_second,
        fail_jobs=fail_jobs,
    )
    if bool(tls_cert) != bool(tls_key):
        raise click.UsageError("--tls-cert and --tls-key belong together.")
    tls = TlsFiles(tls_cert, tls_key) if tls_cert and tls_key else None
    with friendly_errors(), Stop() as stop:
        asyncio.run(_serve(EmbeddedPlatform.open(database, listen, options=options, tls=tls), hub_id, api_key, stop))


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn what can be wrong with settings or the database into one line, without the driver's wrapping."""
    try:
        yield
    except (ValueError, OSError, SQLAlchemyError) as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error


async def _serve(
    serving: AbstractAsyncContextManager[EmbeddedPlatform], hub_id: str | None, api_key: str | None, stop: Stop
) -> None:
    async with serving as platform:
        hub = await platform.ensure_hub(hub_id or "default", hub_id=hub_id)
        key = await _ensure_key(platform, hub, api_key)
        click.echo(f"url:     {platform.url}\nhub id:  {hub}\napi key: {key}")
        await asyncio.to_thread(stop.wait)


async def _ensure_key(platform: EmbeddedPlatform, hub_id: str, given: str | None) -> str:
    """Make sure that there is a key, and say what can be said about it: one that was given is never printed."""
    if given:
        await platform.issue_key(hub_id, value=given, name=KEY_NAME)
        return "as given"
    if await platform.key_exists(hub_id, KEY_NAME):
        return "as before; to set another one use --api-key"
    return await platform.issue_key(hub_id, name=KEY_NAME)
