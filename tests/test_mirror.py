"""Tests stand where their module stands: keras_kd/a/b.py has tests/a/test_b.py, or a reason not to."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Modules with functions or classes that have no test file of their own, and why.
UNMIRRORED: dict[str, str] = {}

# Test files that belong to no single module, and what they are about.
TOPICS = {
    "compression/clustering/test_cluster_like_tfmot": "equivalence with tensorflow-model-optimization",
    "compression/clustering/test_cluster_replicas": "clustering under tf.distribute",
    "compression/pruning/test_prune_like_tfmot": "equivalence with tensorflow-model-optimization",
    "compression/pruning/test_prune_replicas": "pruning under tf.distribute",
    "deployment/test_sparse_files": "files that store weights without their zeros",
    "deployment/test_tf_keras": "models of tf_keras as files",
    "distillation/test_callbacks": "callbacks of Keras in a Distiller",
    "distillation/test_citizenship": "what compile and fit offer, for the distillation terms too",
    "distillation/test_data_structures": "structures of inputs, outputs, labels and weights",
    "distillation/test_equivalence": "equivalence with plain training, bit for bit",
    "distillation/test_leaks": "memory and retracing",
    "distillation/test_like_the_student": "a Distiller behaves as its student",
    "distillation/test_own_targets": "a student that is its own teacher",
    "distillation/test_rival_faults": "faults measured in keras.distillation",
    "distillation/test_structures": "models and layers of every build",
    "distillation/test_taught": "teacher signals that come with the data",
    "distillation/test_teacher_untouched": "the state of a teacher after training",
    "distillation/test_untold": "models that tell nothing of themselves, in every check",
    "losses/test_contract": "every test of tests/contract.py for every loss",
    "losses/test_cost": "memory of the losses",
    "losses/test_jax": "the JAX backend",
    "losses/test_training": "every loss trains",
    "losses/test_transformers": "losses on transformers of Keras",
    "projections/test_in_objectives": "projections inside an objective",
    "projections/test_projections": "what holds for every projection",
    "schemes/test_contract": "what holds for every scheme",
    "test_docs": "what the documentation says is run",
    "test_examples": "examples and benchmarks run",
    "test_house": "benchmarks/house.py",
    "test_imports": "who may import whom",
    "test_mirror": "this table",
    "test_packaging": "the wheel",
    "test_payoff": "the parts of benchmarks/payoff.py",
    "test_public_api": "the exported names",
    "test_saved_files": "files saved by earlier versions",
    "test_suite_times": "tests/suite_times.py",
    "tfmot/bridge/test_bridge_masks": "masks over the bridge",
    "tfmot/test_private_names": "the functions of legacy.py on models of both libraries",
    "training/test_workers": "workers that are processes",
}


def mirrors(package):
    """Where the test of each module stands, without `tests/` and `.py` -> whether the module has code."""
    found = {}
    for path in package.rglob("*.py"):
        if path.name not in ("__init__.py", "__main__.py"):
            name = path.relative_to(package).with_name(f"test_{path.stem}").as_posix()
            nodes = ast.walk(ast.parse(path.read_text()))
            found[name] = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in nodes)
    return found


def violations(package, tests, unmirrored, topics):
    """What stands where the tables do not expect it."""
    wanted = mirrors(package)
    present = {path.relative_to(tests).with_suffix("").as_posix() for path in tests.rglob("test_*.py")}
    bare = {name for name, code in wanted.items() if code} - present
    stray = present - set(wanted)
    return [
        *[f"tests/{name}.py is missing" for name in sorted(bare - set(unmirrored))],
        *[f"tests/{name}.py has no module and no topic" for name in sorted(stray - set(topics))],
        *[f"{name} is in the table of exceptions for nothing" for name in sorted(set(unmirrored) - bare)],
        *[f"{name} is in the table of topics for nothing" for name in sorted(set(topics) - stray)],
    ]


def test_each_module_has_its_test_where_its_path_says():
    assert violations(ROOT / "keras_kd", ROOT / "tests", UNMIRRORED, TOPICS) == []


def test_what_stands_elsewhere_is_found(tmp_path):
    files = {
        "keras_kd/losses/a.py": "def f(): ...",
        "keras_kd/losses/b.py": "class B: ...",
        "keras_kd/constants.py": "X = 1",
        "keras_kd/losses/__init__.py": "def f(): ...",
        "tests/losses/test_a.py": "",
        "tests/test_b.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    package, tests = tmp_path / "keras_kd", tmp_path / "tests"
    missing, stray = "tests/losses/test_b.py is missing", "tests/test_b.py has no module and no topic"
    assert violations(package, tests, {}, {}) == [missing, stray]
    assert violations(package, tests, {"losses/test_b": "why"}, {"test_b": "what"}) == []
    assert violations(package, tests, {"losses/test_a": "why"}, {"test_c": "what"}) == [
        missing,
        stray,
        "losses/test_a is in the table of exceptions for nothing",
        "test_c is in the table of topics for nothing",
    ]
