"""Explore: ``python -m tests.model --resources 2 --operators 2 --turns --faults 2``."""

import argparse
import gc
import logging
import sys

from tests.model.explore import Explorer
from tests.model.state import Scene


def main() -> int:
    """The command: 0 if all is right."""
    parser = argparse.ArgumentParser()
    for number in ("resources", "operators", "faults"):
        parser.add_argument(f"--{number}", type=int, default=getattr(Scene, number))
    for flag in ("deletes", "turns", "pauses", "minor"):
        parser.add_argument(f"--{flag}", action="store_true")
    scene = Scene(**vars(parser.parse_args()))
    logging.disable(logging.CRITICAL)
    gc.disable()  # a state is never garbage
    result = Explorer(scene).run()
    print(result.report())
    return 0 if result.right else 1


if __name__ == "__main__":
    sys.exit(main())
