"""TLS with a certificate from files, which may be replaced at any time: the platform outlives its certificates."""

import asyncio
import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOG = logging.getLogger(__name__)

INTERVAL = 10.0
"""Seconds between two looks at the files."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate (with its chain) and private key are, both as PEM."""

    certificate: Path
    key: Path

    def load(self, context: ssl.SSLContext) -> None:
        """Use them for the handshakes from now on.

        Raises:
            OSError: a file cannot be read.
            ValueError: they are no certificate and its unencrypted key.
        """
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except ssl.SSLError as error:
            raise ValueError(f"{self.certificate} and {self.key} are no certificate and its key in PEM") from error

    def version(self) -> tuple[tuple[int, int], ...]:
        """Tell what the files are: it is another value once one of them is replaced."""
        found = [path.stat() for path in (self.certificate, self.key)]
        return tuple((status.st_ino, status.st_mtime_ns) for status in found)


class Certificate:
    """A certificate in use; renewing it does not disturb what is connected.

    Attributes:
        context: for the server.

    Raises:
        OSError: a file cannot be read.
        ValueError: they are no certificate and its key.
    """

    def __init__(self, files: TlsFiles) -> None:
        self.context = _context()
        self._files = files
        self._version = files.version()
        self._stopped = asyncio.Event()
        files.load(self.context)

    async def run(self) -> None:
        """Renew the certificate whenever its files change, until stopped."""
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), INTERVAL)
            await asyncio.to_thread(self.renew)

    def stop(self) -> None:
        """Let ``run`` end."""
        self._stopped.set()

    def renew(self) -> None:
        """Use the files as they are now; while they are no pair, as amid their replacement, the old one stays."""
        try:
            version = self._files.version()
            if version == self._version:
                return
            self._files.load(_context())  # a failure would leave the new certificate with the old key
            self._files.load(self.context)
        except (OSError, ValueError) as error:
            LOG.warning("the TLS certificate stays as it is: %s", error)
        else:
            self._version = version
            LOG.info("the TLS certificate was renewed")


def _context() -> ssl.SSLContext:
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


def _no_password() -> str:
    """Keep OpenSSL from asking the terminal for the password of an encrypted key."""
    raise ValueError("the TLS key is encrypted; give one without a password")
