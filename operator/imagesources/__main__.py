"""``imagesource-operator`` and ``python -m imagesources``."""

import os
import signal


def main() -> None:
    """Run the command line.

    SIGTERM ends it with exit code 143 from the first moment on, until a command has its own way to end. The first
    process of a container does not get a signal that it has no handler for: one that came during the second or more
    that the imports take would be lost.
    """
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    from imagesources.cli import main as command_line  # noqa: PLC0415 - after the line above

    command_line()


if __name__ == "__main__":
    main()
