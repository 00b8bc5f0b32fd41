"""Who may import whom, and what `import keras_kd` drags in."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# The ground: every room may import these, and they import nothing but each other.
GROUND = [
    "activations",
    "archives",
    "cardinality",
    "contents",
    "descriptors",
    "files",
    "finite",
    "folders",
    "headers",
    "graphs",
    "keras_internals",
    "legacy",
    "locations",
    "loss_names",
    "messages",
    "model_files",
    "parts",
    "paths",
    "results",
    "tensorflow_internals",
    "tensors",
]
# A room -> the rooms that it may import besides. The longest row that matches a module counts.
LIBRARY = ["losses", "projections", "signals", "training", "distillation", "schemes", "compression"]
LIBRARY += ["tfmot"]
LIBRARY += ["deployment", "reports", "datasets", "models", "teachers"]
# What tools that constrain kernels in training use, and what every tool that makes a model smaller may use;
# none of them uses another one.
KERNEL_TOOLS = [f"compression.{name}" for name in ("kernels", "kernel_selection", "kernel_constraint")]
KERNEL_TOOLS += ["compression.kernel_callback", "compression.selection", "compression.tables", "training"]
MAKING_SMALLER = [f"compression.{name}" for name in ("selection", "costs", "tables", "data", "statistics")]
MAKING_SMALLER += ["compression.finite_weights"]
ALLOWED = {
    "signals": [],
    "losses": [],
    "training": [],
    "deployment": [],
    "datasets": [],
    "models": [],
    "projections": ["losses"],
    "distillation": ["signals", "losses", "projections", "training"],
    "schemes": ["distillation", "signals", "losses", "projections", "training"],
    "teachers": ["signals", "deployment"],
    "compression": [],
    "compression.selection": [],
    "compression.kernels": [],
    "compression.kernel_callback": ["compression.kernels", "compression.kernel_constraint", "training"],
    "compression.kernel_constraint": [],
    "compression.kernel_selection": ["compression.kernels", "compression.selection"],
    "compression.finite_weights": [],
    "compression.costs": [],
    "compression.tables": [],
    "compression.data": ["deployment.data_sources", "deployment.source"],
    "compression.statistics": ["compression.data"],
    "compression.batch_norm": MAKING_SMALLER,
    "compression.separable": MAKING_SMALLER,
    "compression.low_rank": MAKING_SMALLER,
    "compression.shrinking": MAKING_SMALLER,
    "compression.pruning": KERNEL_TOOLS,
    "compression.clustering": KERNEL_TOOLS,
    # The one tool above the others: it measures what they would do.
    "compression.sensitivity": [
        *(*MAKING_SMALLER, *KERNEL_TOOLS),
        *(f"compression.{name}" for name in ("batch_norm", "clustering", "low_rank", "pruning", "shrinking")),
        *("deployment.scoring", "deployment.source", "reports.heat_map", "reports.quality"),
    ],
    "tfmot": ["distillation", "signals", "losses", "training"],
    "reports": ["deployment", "compression.costs"],
    "jobs": LIBRARY,
    "cli": [*LIBRARY, "jobs", "startup", "__version__"],
    "__main__": ["cli"],
    "startup": [],
    "": [*LIBRARY, "startup"],
} | {module: [] for module in GROUND}
# Rooms that `import keras_kd` does not load: their files may import HEAVY at the top.
COMMAND_LINE = ["cli", "jobs", "__main__"]
# A class of tf_keras is made where tf_keras is imported; the package imports this file when it is used.
WHEN_USED = ["tfmot.distiller", "tfmot.bridge.keras_operation"]
HEAVY = ["tf_keras", "tensorflow_model_optimization", "tensorflow_datasets"]
HEAVY += ["matplotlib", "sklearn", "typer", "rich", "pandas", "onnxruntime"]


def inside(name, room):
    return name == room or name.startswith(f"{room}.")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[1:-1] if parts[-1] == "__init__" else parts[1:])


MODULES = {module_name(path): path for path in sorted((ROOT / "keras_kd").rglob("*.py"))}


def imports(name, source, package):
    """Modules of keras_kd (without that prefix) which the source of module `name` imports."""
    here = ["keras_kd", *name.split(".")] if name else ["keras_kd"]
    here = here if package else here[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            # `from keras_kd import datasets` imports the module datasets.
            targets = [f"{base}.{alias.name}" for alias in node.names] if base == "keras_kd" else [base]
        else:
            continue
        for target in targets:
            if inside(target, "keras_kd"):
                yield target.removeprefix("keras_kd").removeprefix(".")


def forbidden(name, source, package=False):
    row = max((row for row in ALLOWED if inside(name, row) or row == ""), key=len)
    if row == "" and name:
        return [f"{name} has no row in the table of this test"]
    allowed = [*ALLOWED[row], *GROUND, *([row] if row else [])]
    return [
        target for target in imports(name, source, package) if not any(inside(target, ok) for ok in allowed)
    ]


@pytest.mark.parametrize("name", MODULES, ids=lambda name: name or "keras_kd")
def test_imports_only_what_the_table_allows(name):
    path = MODULES[name]
    assert forbidden(name, path.read_text(), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("losses.logits", "from keras_kd.distillation import taps", ["distillation"]),
        ("losses.logits", "from ..signals.taps import record", ["signals.taps"]),
        ("losses.linear", "from keras_kd import projections", ["projections"]),
        ("losses.logits", "from .features import Elementwise\nimport keras", []),
        ("reports.compare", "def f():\n    from keras_kd import cli", ["cli"]),
        (
            "compression.pruning.prune",
            "from keras_kd.compression.shrinking import x",
            ["compression.shrinking"],
        ),
        ("reports.compare", "import keras_kd.deployment.benchmark", []),
        (
            "signals.taps",
            "from keras_kd.distillation.objectives import Objective",
            ["distillation.objectives"],
        ),
        ("files", "from keras_kd.losses import loss", ["losses"]),
        ("jobs.runs", "import keras_kd", [""]),
        ("jobs.demo", "from keras_kd import cli", ["cli"]),
        ("surprise", "import keras", ["surprise has no row in the table of this test"]),
    ],
)
def test_the_table_is_enforced(name, source, found):
    assert forbidden(name, source) == found


EAGER = [name for name in MODULES if not any(inside(name, room) for room in COMMAND_LINE + WHEN_USED)]


@pytest.mark.parametrize("name", EAGER, ids=lambda name: name or "keras_kd")
def test_imports_what_is_heavy_inside_functions_only(name):
    tree = ast.parse(MODULES[name].read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    assert {name.split(".")[0] for name in names}.isdisjoint(HEAVY)


@pytest.mark.slow
def test_import_loads_nothing_heavy():
    # Keras itself loads some of these where they are installed.
    code = f"""
import sys, keras, tensorflow
before = set(sys.modules)
import keras_kd
new = set(sys.modules) - before
print([name for name in {HEAVY} + {[f"keras_kd.{name}" for name in COMMAND_LINE + WHEN_USED]} if name in new])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.strip() == "[]"
