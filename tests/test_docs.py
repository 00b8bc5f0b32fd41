"""What the documentation says is run: doctests, code blocks, commands, and the strict build of the site."""

import dataclasses
import doctest
import functools
import importlib
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_kd
from keras_kd.datasets import Split

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs" / "source"  # what pages are written from
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if SOURCE not in page.parents]
MODULES = [
    m.name for m in pkgutil.walk_packages(keras_kd.__path__, "keras_kd.") if m.name != "keras_kd.__main__"
]

# A page may begin with <!-- setup ... -->: code that is run first and not shown.
# A block that is not meant to run is fenced as ```text; right below Python, it is what that prints last.
SETUP = re.compile(r"<!-- setup\n(.*?)-->", re.DOTALL)
BLOCK = re.compile(
    r"^( *)```python[^\n]*\n(.*?)^\1```\n(?:\s*?\n\1```text\n(.*?)^\1```)?", re.DOTALL | re.MULTILINE
)
SLOW = "<!-- slow -->"
# These train for many epochs, on a tenth of the digits here; what the last two print is of all of them.
SHORTENED = ["README", "batch-norm", "compact", "low-rank", "sensitivity", "shrinking", "index", "tutorial"]
OF_ALL_DIGITS = SHORTENED[-2:]
OF_DEEP_TEACHER = ["shrinking"]  # which prints its layers


def name(page):
    return str(page.relative_to(ROOT))


def is_slow(page):
    """What GitHub shows first holds no such comment."""
    return page.name == "README.md" or SLOW in page.read_text()


def code(page):
    """The Python of a page, and what each block prints last according to the page.

    Each line is at its own line number, so that tracebacks point into the page.
    """
    text = page.read_text()
    blocks = [(m.start(1), m[1], "") for m in SETUP.finditer(text)]
    for m in BLOCK.finditer(text):
        block, printed = (re.sub(f"^{m[1]}", "", part or "", flags=re.MULTILINE) for part in (m[2], m[3]))
        blocks.append((m.start(2), block, printed))
    return [
        (compile("\n" * text.count("\n", 0, start) + block, name(page), "exec"), printed)
        for start, block, printed in blocks
    ]


WITH_CODE = [
    pytest.param(page, id=name(page), marks=[pytest.mark.slow] if is_slow(page) else [])
    for page in PAGES
    if "```python" in page.read_text()
]


@pytest.fixture
def few_digits(digits, monkeypatch):
    """A tenth of the digits: that a page runs is asked, not how well its models learn."""
    few = {"train": 128, "validation": 32, "test": 64, "calibration": 32}
    arrays = {name: Split(*(part[:n] for part in digits.arrays[name][:2])) for name, n in few.items()}
    of_these = functools.partial(dataclasses.replace, digits, arrays=arrays)
    monkeypatch.setattr(keras_kd.datasets, "digits", of_these)


@pytest.mark.parametrize("page", WITH_CODE)
def test_code_blocks_run_and_print_what_the_page_says(
    page, tmp_path, monkeypatch, request, capsys, traced_once
):
    if page.stem in SHORTENED:
        request.getfixturevalue("few_digits")
    if page.stem not in OF_DEEP_TEACHER:
        request.getfixturevalue("plain_teacher")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for block, printed in code(page):
        exec(block, namespace)
        found = capsys.readouterr().out
        if page.stem not in OF_ALL_DIGITS:
            assert found.endswith(printed), f"printed {found[-len(printed) - 40 :]!r} instead of {printed!r}"


@pytest.mark.slow
@pytest.mark.parametrize("module", ["keras_kd", *MODULES])
def test_docstring_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def commands(text):
    """Commands in fenced shell blocks and in inline code."""
    lines = re.findall(r"`((?:keras-kd|make)[^`\n]*)`", text)
    for block in re.findall(r"```(?:bash|console|sh|shell)\n(.*?)```", text, re.DOTALL):
        lines += [line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines()]
    return [line.split("#")[0].split() for line in lines if line.startswith(("keras-kd", "make"))]


def unknown(words):
    """The first word of a command that does not exist, or None."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return next((word for word in words[1:] if word not in targets), None)
    import typer

    from keras_kd.cli import app as cli

    group = typer.main.get_command(cli.app)
    command = group.commands.get(words[1]) if words[1:] and not words[1].startswith("-") else group
    if command is None:
        return words[1]
    options = {
        "--help",
        *(option for param in command.params for option in (*param.opts, *param.secondary_opts)),
    }
    return next((w for w in words[1:] if w.startswith("-") and w.split("=")[0] not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page):
    for words in commands(page.read_text()):
        assert unknown(words) is None, f"{' '.join(words)}: there is no {unknown(words)}"


def test_an_unknown_command_is_found():
    assert commands("use `make demon` or\n```bash\n$ make test  # all\n```") == [
        ["make", "demon"],
        ["make", "test"],
    ]
    assert [unknown(words) for words in (["make", "demon"], ["make", "test"])] == ["demon", None]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.mark.slow
def test_site_builds_strictly_and_loads_nothing_from_the_network(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) >= len(PAGES) - 2
    loads = re.compile(
        r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(?:https?:)?//|<link[^>]*\shref=\"?(?:https?:)?//"
    )
    links = re.compile(r'<link rel="canonical"[^>]*>')
    for page in pages:
        assert not loads.search(links.sub("", page.read_text())), page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", style.read_text()), style.name


@pytest.mark.slow
def test_pictures_are_whole(site):
    """Markdown takes a picture outside of a <figure> for text, and breaks it into paragraphs."""
    pictures = [page.read_text() for page in site.rglob("*.html")]
    assert sum(page.count("<figure") for page in pictures) >= 12
    for page in pictures:
        assert not re.search(r"<p>\s*<svg", page)


@pytest.mark.slow
def test_the_search_works_on_pages_opened_from_the_disk(site):
    """There is no server then: the index is a script, and the worker the one beside the home page."""
    assert (site / "search" / "search_index.js").read_text().startswith("var __index = {")
    for page in site.rglob("*.html"):
        worker = re.search(r'<script src="([^"]*iframe-worker[^"]*)"', page.read_text())
        root = site if page.name == "404.html" else page.parent
        assert worker, page.name
        assert (root / worker[1].lstrip("/")).is_file(), page.name


SCRIPTS = ["clustering.py", "compact.py", "cost.py", "losses.py", "low_rank.py", "pictures.py"]
SCRIPTS += ["sensitivity.py", "shrinking.py", "tasks.py"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_written_for_the_site_is_up_to_date(script, monkeypatch):
    monkeypatch.setattr(sys, "argv", [script, "--check"])
    runpy.run_path(str(SOURCE / script), run_name="__main__")


def test_what_is_not_up_to_date_is_found(tmp_path):
    save = runpy.run_path(str(SOURCE / "generated.py"))["save"]
    page = tmp_path / "page.md"
    save({page: "new"}, "script.py", check=False)
    assert page.read_text() == "new"
    save({page: "new"}, "script.py", check=True)
    for path, text in ((page, "newer"), (tmp_path / "missing.md", "new")):
        with pytest.raises(SystemExit, match=rf"docs/{path.name} is not what docs/source/script.py writes"):
            save({path: text}, "script.py", check=True)


@pytest.mark.slow
def test_the_bytes_of_a_file_are_those_of_its_layers_and_the_rest(tmp_path):
    student = keras_kd.models.digits_student()
    student.get_layer("logits").bias.assign([*range(10)])  # one of zeros is left out of the file
    file = keras_kd.export(student, tmp_path / "student.tflite")
    found = runpy.run_path(str(SOURCE / "file_parts.py"))["parts"](file.path)
    weights = {
        "conv1": 3 * 3 * 8 + 8,
        "conv2": 3 * 3 * 8 * 16 + 16,
        "conv3": 3 * 3 * 16 * 24 + 24,
        "logits": 250,
    }
    assert {f"weights of {name}": 4 * count for name, count in weights.items()}.items() <= found.items()
    assert sum(found.values()) == file.bytes
    assert min(found.values()) > 0


def test_the_digit_of_the_picture_looks_like_one_other_class_to_a_sure_teacher():
    telling = runpy.run_path(str(SOURCE / "pictures.py"))["telling"]
    like_none, like_one, unsure, wrong = [12, 0, 0], [12, 6, 0], [12, 11, 0], [6, 12, 0]
    assert telling(np.array([like_none, like_one, unsure, wrong]), np.zeros(4)) == 1


def test_the_readme_counts_the_losses():
    losses = [x for x in keras_kd.losses.__all__ if isinstance(getattr(keras_kd.losses, x), type)]
    assert f"has {len(losses) - 1} losses" in (ROOT / "README.md").read_text()  # all but the base
