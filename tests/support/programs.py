"""Programs that the tests use and the operator does not, built from their Go modules where they are missing."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from imagesources.controlplane import Recipe

_MODULES = Path(__file__).parent / "go"


@cache
def helm() -> Path:
    """Helm 4: the one on PATH, else built from the module that ``go/helm`` pins.

    Raises:
        ControlPlaneError: A download or the build failed.
    """
    program = shutil.which("helm")
    if program and _output(program, "version", "--template", "{{.Version}}").startswith("v4."):
        return Path(program)
    recipe = Recipe(
        name="helm",
        title="Helm",
        effort="about 3 minutes on two cores",
        modules=_MODULES,
        links={},
    )
    return recipe.built(say) / "helm"


def say(line: str) -> None:
    """Shows a line of progress at once, past pytest's capture."""
    print(line, file=sys.__stderr__, flush=True)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
