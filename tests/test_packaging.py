"""What `pip install .` would put on a user's machine."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "keras_kd", source / "keras_kd", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", source / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "dist",
        ".",
    ]
    result = subprocess.run(build, cwd=source, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield {name: archive.read(name).decode() for name in archive.namelist()}


def test_ships_the_package_and_nothing_else(wheel):
    folders = {name.split("/")[0] for name in wheel}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"keras_kd"}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "keras_kd").rglob("*.py")}
    assert modules | {"keras_kd/py.typed"} <= set(wheel)


def test_metadata(wheel):
    info = next(name.split("/")[0] for name in wheel if name.endswith(".dist-info/METADATA"))
    assert "keras-kd = keras_kd.cli.app:main" in wheel[f"{info}/entry_points.txt"]
    assert "License-Expression: Apache-2.0" in wheel[f"{info}/METADATA"]
    assert "Apache License" in wheel[f"{info}/licenses/LICENSE"]


def test_a_clone_does_not_hide_what_is_installed(tmp_path):
    """A folder of the package's name is not the package, to a script that stands beside it."""
    (tmp_path / "keras_kd" / "keras_kd").mkdir(parents=True)
    find = "import importlib.util; print(importlib.util.find_spec('keras_kd').origin)"
    found = subprocess.run([sys.executable, "-c", find], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.strip().endswith("__init__.py"), found.stdout + found.stderr
