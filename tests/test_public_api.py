"""The exported names: sorted, importable, documented, with an example."""

import inspect
import re
import types
from pathlib import Path

import pytest

import keras_kd as kd

DOCS = Path(__file__).parent.parent / "docs"
NAMESPACES = {"kd": kd, "kd.losses": kd.losses, "kd.datasets": kd.datasets, "kd.models": kd.models}
PUBLIC = {
    f"{prefix}.{name}": getattr(space, name)
    for prefix, space in NAMESPACES.items()
    for name in space.__all__
    if not name.startswith("__")
}
DIRECTIVES = re.findall(
    r"^::: (\S+)", "\n".join(page.read_text() for page in DOCS.rglob("*.md")), re.MULTILINE
)


@pytest.mark.parametrize("space", NAMESPACES.values(), ids=NAMESPACES)
def test_all_is_sorted_and_is_what_can_be_seen(space):
    assert list(space.__all__) == sorted(space.__all__, key=str.casefold)
    seen = {name for name, value in vars(space).items() if not name.startswith("_") and defined_here(value)}
    if space is not kd:
        seen -= {name for name, value in vars(space).items() if isinstance(value, types.ModuleType)}
    assert seen <= {*space.__all__, *folders(space)}


def defined_here(value):
    return (getattr(value, "__module__", None) or getattr(value, "__name__", "")).startswith("keras_kd")


def folders(space):
    """Rooms whose names live at keras_kd.X: Python binds them when they are imported."""
    return {"compression", "deployment", "distillation", "reports"} if space is kd else set()


@pytest.mark.parametrize("name", PUBLIC)
def test_has_a_docstring_with_an_example(name):
    value = PUBLIC[name]
    doc = inspect.getdoc(value) if value.__doc__ else None
    assert doc, f"{name} has no docstring"
    assert isinstance(value, types.ModuleType) or ">>> " in doc, f"{name} has no example"


@pytest.mark.parametrize("name", PUBLIC)
def test_is_in_the_reference(name):
    path = name.replace("kd", "keras_kd", 1)
    parents = [path.rsplit(".", n)[0] for n in range(path.count("."))]
    assert any(page in DIRECTIVES for page in parents), f"no page of docs/ says `::: {path}`"


def test_the_reference_names_only_what_exists():
    for directive in DIRECTIVES:
        value = kd
        for part in directive.split(".")[1:]:
            value = getattr(value, part)
