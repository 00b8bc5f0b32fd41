"""The exported names: sorted, importable, documented, with an example."""

import inspect
import pkgutil
import re
import types
from pathlib import Path

import pytest

import keras_kd as kd

DOCS = Path(__file__).parent.parent / "docs"
NAMESPACES = {"kd": kd}
NAMESPACES |= {
    f"kd.{name}": vars(kd)[name] for name in kd.__all__ if isinstance(vars(kd)[name], types.ModuleType)
}
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
def test_all_is_sorted_and_importable(space):
    assert space.__all__ == sorted(space.__all__)
    assert all(hasattr(space, name) for name in space.__all__)


@pytest.mark.parametrize("space", [space for space in NAMESPACES.values() if hasattr(space, "__path__")])
def test_nothing_is_exported_by_accident(space):
    """A name that a folder imports from the package is in its __all__; its own files are bound by Python."""
    files = {name for _, name, _ in pkgutil.iter_modules(space.__path__)}
    ours = {name for name, value in vars(space).items() if not name.startswith("_") and from_here(value)}
    assert ours - files <= set(space.__all__)


def from_here(value):
    return (getattr(value, "__module__", None) or getattr(value, "__name__", "")).startswith("keras_kd")


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


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_the_reference_names_only_what_exists(directive):
    assert pkgutil.resolve_name(directive)
