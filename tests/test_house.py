"""`benchmarks/house.py` counts right, on a package small enough to count by hand."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

PATH = Path(__file__).parent.parent / "benchmarks" / "house.py"


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def measure(house, tmp_path):
    """Measures a repository of these files, `{path: text}`."""

    def measured(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        return house.measure(tmp_path)

    return measured


def test_lengths_leave_docstrings_and_init_out(measure):
    source = '''\
        def one(
            x,
        ):
            """Three lines
            of
            text."""
            return x  # the fourth

        class Thing:
            def two(self):
                """Not counted."""
                return 1
        '''
    rows = measure({"keras_kd/__init__.py": "x = 1\n" * 400, "keras_kd/room/a.py": source})
    assert rows["files"].value == 1
    assert rows["longest file"].value == "12 a.py"
    assert rows["functions"].value == 2
    assert rows["longest function"].value == "4 a.py:1 one"
    assert rows["median lines of a function"].value == 3
    assert rows["functions over 30 lines"].value == 0


def test_what_is_too_long_is_named(measure):
    long = "def long():\n" + "    x = 1\n" * 30 + "def fits():\n" + "    x = 1\n" * 29
    rows = measure({"keras_kd/a.py": long + "x = 1\n" * 190})
    assert rows["functions over 30 lines"].places == ["31 keras_kd/a.py:1 long"]
    assert rows["files over 250 lines"].places == ["251 keras_kd/a.py"]


def test_arguments_that_are_any(house, measure):
    source = """\
        import typing
        from typing import Any

        Tensor = Any
        Maybe = Any | None

        class Thing:
            def call(self, a: Any, b: "Any", c: typing.Any, d: Tensor, *args: Any, **kwargs: Any) -> Any: ...

        def plain(a: int, b: dict[str, Any], c: Maybe, d: Any | None, /, *, e: str = "Any") -> None: ...
        """
    rows = measure({"keras_kd/a.py": source})
    assert rows[house.ANY].value == round(100 * 4 / 9, 1)
    assert rows[house.ANY].places == ["4 keras_kd/a.py"]
    assert rows["% of arguments containing Any, all of them"].value == round(100 * 8 / 11, 1)


def test_private_names_of_keras(house, measure):
    source = '''\
        """Text with keras.src in a docstring, and layer._flatten_layers."""
        import keras
        from keras.src.backend import standardize_dtype

        class Model(keras.Model):
            def __init__(self):
                self._own, self._layers = 1, []
                self.__dict__.update({"_put": 2})

            def _symbolic_build(self):
                return super()._symbolic_build() or self._compile_loss or self._put or self._layers

            def _mine(self):
                return self.other._mine() + self.other._own, self.__class__.__name__

        def look(layer, point):
            assert type(layer).__module__.startswith("keras.src.layers")
            assert f"{layer.name}_classifier".endswith("_input")
            return layer._layers, layer._inbound_nodes, getattr(layer, "_keras_mask"), point._replace(x=1)
        '''
    old = "def children(layer):\n    return layer._flatten_layers()\n"
    rows = measure({"keras_kd/a.py": source, "keras_kd/legacy.py": old, "keras_kd/b.py": "x = 1\n"})
    assert rows[house.PRIVATE].value == 1
    assert [place.removeprefix("keras_kd/a.py:") for place in rows[house.PRIVATE].places] == [
        "3 import keras.src.backend",
        "10 name _symbolic_build",
        "11 name _symbolic_build",
        "11 on self _compile_loss",
        "17 text keras.src.layers",
        "19 name _inbound_nodes",
        "19 name _keras_mask",
        "19 name _layers",
    ]
    assert rows["private names of Keras, places"].value == 5
    assert rows["private names of Keras, distinct"].value == 4
    assert rows["imports from inside Keras"].value == 1


def test_mirrored_tests(house, measure):
    function = "def f(): ...\n"
    package = {
        f"keras_kd/{name}.py": function for name in ("a", "room/b", "room/c", "__main__", "room/__init__")
    }
    tests = {"tests/test_a.py": function, "tests/room/test_b.py": function, "tests/test_c.py": function * 2}
    rows = measure(package | {"keras_kd/room/constants.py": "x = 1\n"} | tests)
    assert rows[house.MIRRORED].value == 66.7
    assert rows[house.MIRRORED].places == ["no tests/room/test_c.py"]
    assert (rows["files of tests"].value, rows["lines of tests"].value) == (3, 4)


def test_duplicates(measure):
    def steps(name, lines):
        return f"def {name}(x):\n" + "".join(f"    x = x + {i}\n" for i in range(lines))

    same = steps("f", 7)
    told = '"""Other text."""\nimport os\n\n' + same.replace("x + 3\n", "x  +  3  # why\n\n").replace(
        "f(x)", "g(x)"
    )
    files = {"keras_kd/a.py": same, "keras_kd/b.py": told, "keras_kd/c.py": steps("h", 5)}
    rows = measure(files)
    assert rows["duplicated pairs"].places == ["keras_kd/a.py:2 and keras_kd/b.py:5"]


def test_times_are_those_of_the_file(measure):
    files = {"keras_kd/a.py": "def f(): ...\n"}
    assert not [name for name in measure(files) if name.startswith("suite")]
    rows = measure({**files, "benchmarks/suite_times.json": '{"before": {"fast_s": 90, "slow_s": 400}}'})
    assert rows["suite, before, fast_s"].value == 90
    assert rows["suite, before, slow_s"].value == 400


def test_columns_side_by_side_with_the_aims(house):
    now, before = house.Row(house.ANY, 9.5), house.Row(house.ANY, 36.4)
    columns = {"REV": {house.ANY: before}, "now": {house.ANY: now, "files": house.Row("files", 3)}}
    first, aimed, files = house.table(columns, short=False).splitlines()
    assert first.split() == ["REV", "now", "aim"]
    assert aimed.removeprefix(house.ANY).split() == ["36.4", "9.5", *house.AIMS[house.ANY].split()]
    assert files.split() == ["files", "-", "3"]
    assert "files" not in house.table(columns, short=True)


def test_errors_say_what_was_expected(measure):
    with pytest.raises(SystemExit, match="Python files of a folder keras_kd"):
        measure({"README.md": ""})


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_revision_is_measured_as_it_was(house, measure, tmp_path, monkeypatch):
    monkeypatch.setattr(house, "ROOT", tmp_path)
    measure({"keras_kd/a.py": "def f(): ...\n"})
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*person, "commit", "-qm", "One function"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert measure({"keras_kd/b.py": "def g(): ...\n"})["functions"].value == 2
    assert house.measure_revision("HEAD")["functions"].value == 1
    with pytest.raises(SystemExit, match=r"takes a revision of git.*Received: HEAD~1"):
        house.measure_revision("HEAD~1")
