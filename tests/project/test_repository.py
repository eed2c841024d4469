"""What holds of the repository as a whole."""

import ast
import fnmatch
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from imagesources.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Spelled in pieces, so that this file passes its own test.
_REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "proxy.golang" + ".org",
    "sum.golang" + ".org",
    "npm" + "js.org",
    "index" + "-url",
)
_MACHINE_PATH = re.compile(r"(?<![\w.{}$~/-])/(?:ro" + r"ot|ho" + r"me|Us" + r"ers|wo" + r"rk)/\w")


def _files() -> Iterator[Path]:
    """All files that git would track: those that .gitignore does not name."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()] + [".git"]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not any(fnmatch.fnmatch(name, each) for each in ignored)]
        yield from (Path(folder, name) for name in names if not any(fnmatch.fnmatch(name, each) for each in ignored))


def _locked() -> dict[str, str]:
    """Each entry of the lock: its name and everything up to the next entry."""
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())
    return {entry.split("==")[0]: entry for entry in entries}


def test_files_name_no_registry_and_no_machine() -> None:
    """No file holds the address of a package registry or a path of somebody's machine."""
    found = []
    for path in _files():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if any(host in line for host in _REGISTRIES) or _MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found[:20])


def test_lock_is_current() -> None:
    """The lock pins every dependency of pyproject.toml at a version that pyproject.toml allows."""
    grouped = [each for group in PROJECT["dependency-groups"].values() for each in group if isinstance(each, str)]
    wanted = [*PROJECT["project"]["dependencies"], *grouped]
    locked = _locked()
    for requirement in map(Requirement, wanted):
        entry = locked.get(requirement.name.lower(), "")
        version = re.match(r"\S+==(\S+)", entry)
        assert version, f"{requirement.name} is not in requirements.lock; run: make lock"
        assert requirement.specifier.contains(version[1]), (
            f"{entry.splitlines()[0]} is not {requirement}; run: make lock"
        )


def test_lock_has_hashes_and_no_addresses() -> None:
    """Every entry of the locks is pinned by hash, and none by an address."""
    for name, entry in _locked().items():
        assert re.match(r"\S+==\S+", entry), name
        assert "--hash=sha256:" in entry, name
        assert "://" not in entry, name


def test_operator_folder_is_no_package() -> None:
    """`operator/` has no __init__.py: it would take the place of the standard library's module."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_version_is_the_newest_in_the_changelog() -> None:
    """The version is the one that the changelog's first heading names."""
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == PROJECT["project"]["version"]


def test_tests_say_what_they_show() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent, "\n".join(silent)


def test_import_ranks() -> None:
    """No module imports from a rank above its own, and every module has a rank."""
    linter = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return next(folder.glob("*.whl"))


def test_wheel_is_complete(wheel: Path) -> None:
    """The wheel holds every file of the package but what the demo alone needs, the licence and the console script."""
    package = ROOT / "operator"
    ours = {str(path.relative_to(package)) for path in _files() if path.is_relative_to(package)}
    demo = {name for name in ours if re.match(r"imagesources/(controlplane/|cli/(demo|stage)\.py)", name)}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {name for name in names if name.startswith("imagesources/")} == ours - demo
    assert demo
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "imagesource-operator = imagesources.__main__:main" in entry_points


def test_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    """Each command runs from the wheel alone, without the repository; the demo says that it needs a clone."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import imagesources.__main__ as entry; print(entry.__file__); entry.main()"
    for command in COMMANDS:
        answer = subprocess.run(
            [sys.executable, "-Pc", code, command, "--help"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.stdout.startswith(str(tmp_path))
        if command == "demo":
            assert answer.stderr == "Error: demo is in a clone of the repository only; there: make demo\n"
        else:
            assert COMMANDS[command].split()[0] in answer.stdout, answer.stderr
