"""The size and readability of the code, compared with the targets.

    python benchmarks/house.py [--before REV] [--list] [--short] [--json FILE]

Prints a column for the current files; `--before` adds one for a git revision. `--list` prints the locations
behind the current figures. Files are only read, never imported.

A function is measured from `def` to its last line, without the docstring; nested functions count too. An
argument is Any if its annotation is just that, or an alias that a module defines (`X = Any`); `self`, `cls`,
`*args` and `**kwargs` are excluded. The stricter row includes the last two, and also `dict[str, Any]` and
similar. A private name counts if the package does not define it, or if KERAS has it; legacy.py may have some.
A module with functions or classes, a/b.py, is mirrored by tests/a/test_b.py. Duplicates are six or more equal
consecutive lines, not counting comments, docstrings and imports.
"""

import argparse
import ast
import io
import itertools
import json
import re
import statistics
import subprocess
import tarfile
import tempfile
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LONG_FILE, LONG_FUNCTION, ALIKE = 250, 30, 6  # lines
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef

# Names of Keras that the package gives to something of its own too, and those that it overrides.
SHARED = {"_layers", "_model"}
KERAS = SHARED | {"_assert_compile_called", "_distribute_strategy", "_get_metrics_result_or_logs"}
KERAS |= {"_make_function", "_maybe_symbolic_build", "_save_model", "_set_mask_metadata", "_symbolic_build"}
# Of Python, TensorFlow and tensorflow-model-optimization.
OTHERS = {"_asdict", "_exit", "_fields", "_make", "_replace", "_in_multi_worker_mode", "_LAYERS_WEIGHTS_MAP"}
LOOK_UPS = {"getattr", "hasattr", "setattr", "delattr"}

ANY = "% of arguments exactly Any, no *args, **kwargs"
PRIVATE, MIRRORED = "files with private names of Keras", "% of modules with a mirrored test"
AIMS = {ANY: "at most 10", PRIVATE: "1", MIRRORED: "at least 90"}


class Row(NamedTuple):
    name: str
    value: float | str
    places: Sequence[str] = ()


class Source(NamedTuple):
    path: str
    text: str
    nodes: list[ast.AST]

    def all(self, *kinds: type[ast.AST]) -> list[Any]:
        return [node for node in self.nodes if isinstance(node, kinds)]


def read(folder: Path) -> list[Source]:
    texts = {p.relative_to(folder.parent).as_posix(): p.read_text("utf-8") for p in folder.rglob("*.py")}
    return [Source(path, text, list(ast.walk(ast.parse(text)))) for path, text in sorted(texts.items())]


def docstring(node: ast.AST) -> range:
    """The lines on which it stands."""
    match getattr(node, "body", None):
        case [ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=last), *_]:
            return range(first, int(last or first) + 1)
    return range(0)


def lengths(package: list[Source]) -> Iterator[Row]:
    files = [(len(s.text.splitlines()), s.path) for s in package if not s.path.endswith("__init__.py")]
    yield from spread("file", sorted(files, reverse=True), LONG_FILE)
    functions = [(f"{s.path}:{f.lineno} {f.name}", f) for s in package for f in s.all(*FUNCTIONS)]
    sizes = [(f.end_lineno - f.lineno + 1 - len(docstring(f)), name) for name, f in functions]
    yield from spread("function", sorted(sizes, reverse=True), LONG_FUNCTION)


def spread(what: str, sizes: list[tuple[int, str]], limit: int) -> Iterator[Row]:
    (most, name), long = sizes[0], [f"{lines} {name}" for lines, name in sizes if lines > limit]
    yield Row(f"{what}s", len(sizes))
    yield Row(f"median lines of a {what}", statistics.median(lines for lines, _ in sizes))
    yield Row(f"lines that nine of ten {what}s keep to", sizes[len(sizes) // 10][0])
    yield Row(f"longest {what}", f"{most} {name.rpartition('/')[2]}")
    yield Row(f"{what}s over {limit} lines", len(long), long)


def annotations(package: list[Source]) -> Iterator[tuple[str, str, bool]]:
    """File and text of each, and whether its argument is starred."""
    for path, given in ((source.path, node.args) for source in package for node in source.all(*FUNCTIONS)):
        starred = [given.vararg, given.kwarg]
        for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]:
            if argument and argument.annotation and argument.arg not in ("self", "cls"):
                yield path, ast.unparse(argument.annotation).strip("'\""), argument in starred


def percent(part: Sized, whole: Sized) -> float:
    return round(100 * len(part) / max(1, len(whole)), 1)


def untyped(package: list[Source]) -> Iterator[Row]:
    texts, given = "\n".join(source.text for source in package), list(annotations(package))
    renamed = re.findall(r"^(\w+)(?:: [\w.]+)? = (?:\w+\.)?Any\b(?! *[|\[])", texts, re.MULTILINE)
    names = rf"\b({'|'.join(['Any', *renamed])})\b"
    plain = [(path, text) for path, text, starred in given if not starred]
    exact = [path for path, text in plain if re.fullmatch(rf"(\w+\.)?{names}", text)]
    yield Row(ANY, percent(exact, plain), [f"{count} {path}" for path, count in Counter(exact).most_common()])
    loose = [text for _, text, _ in given if re.search(names, text)]
    yield Row("% of arguments containing Any, all of them", percent(loose, given))


def is_foreign(name: str, own: set[str]) -> bool:
    return name not in own and re.match("_[A-Za-z]", name) is not None


def defined(source: Source) -> set[str]:
    """All names that a file defines; keys of dictionaries too, since some are put into a `__dict__`."""
    found = {str(getattr(key, "value", "")) for node in source.all(ast.Dict) for key in node.keys}
    for node in source.all(ast.Name, ast.Attribute):
        if isinstance(node.ctx, ast.Store) and re.fullmatch(r"(self\.)?\w+", name := ast.unparse(node)):
            found.add(name.removeprefix("self."))
    return found | {node.name for node in source.all(*FUNCTIONS, ast.ClassDef)}


def taken(node: ast.AST, own: set[str]) -> tuple[str, str] | None:
    """Kind and name of what is taken from inside Keras by a package that has names of its `own`."""
    match node:
        case ast.ImportFrom(module=str(name)) | ast.Import(names=[ast.alias(name=name)]) if ".src" in name:
            return "import", name
        case ast.Constant(value=str(name)) if name.startswith(("keras.src", "tf_keras.src")):
            return "text", name
        case ast.Attribute(attr=name, value=ast.Name(id="self" | "cls")):
            return ("on self", name) if name not in SHARED and is_foreign(name, own) else None
        case ast.Attribute(attr=name) if is_foreign(name, own):
            return "name", name
        case ast.FunctionDef(name=name) | ast.Constant(value=str(name)) if name in KERAS:
            return "name", name
        case ast.Call(func=ast.Name(id=call), args=[_, ast.Constant(value=str(name)), *_]):
            return ("name", name) if call in LOOK_UPS and is_foreign(name, own | KERAS) else None
    return None


def private_names(package: list[Source]) -> Iterator[Row]:
    own = OTHERS.union(*map(defined, package)) - KERAS
    nodes = [(s.path, node) for s in package if not s.path.endswith("/legacy.py") for node in s.nodes]
    pairs = [(path, getattr(node, "lineno", 0), taken(node, own)) for path, node in nodes]
    found = sorted((path, line, *pair) for path, line, pair in pairs if pair)
    kinds = Counter(kind for *_, kind, _ in found)
    yield Row("imports from inside Keras", kinds["import"])
    yield Row('texts with "keras.src"', kinds["text"])
    yield Row("private names of Keras, places", kinds["name"])
    yield Row("private names of Keras, distinct", len({name for *_, kind, name in found if kind == "name"}))
    files = len({path for path, _, kind, _ in found if kind != "on self"})
    yield Row(PRIVATE, files, [f"{path}:{line} {kind} {name}" for path, line, kind, name in found])
    yield Row("inherited private names of Keras, on self", kinds["on self"])


def tested(package: list[Source], tests: list[Source]) -> Iterator[Row]:
    modules = [source.path for source in package if source.all(*FUNCTIONS, ast.ClassDef)]
    mirrors = [re.sub(r"^\w+/(.*/)?(\w+\.py)$", r"tests/\1test_\2", path) for path in modules]
    wanted = [path for path in mirrors if not path.endswith(("__init__.py", "__main__.py"))]
    bare = sorted(set(wanted) - {test.path for test in tests})
    lines, of_code = (sum(len(s.text.splitlines()) for s in sources) for sources in (tests, package))
    yield Row(MIRRORED, round(100 - percent(bare, wanted), 1), [f"no {path}" for path in bare])
    yield Row("files of tests", len(tests))
    yield Row("lines of tests", lines)
    yield Row("lines of tests / lines of code", round(lines / of_code, 2))


def code(source: Source) -> list[tuple[int, str]]:
    """Numbered lines, without those that may well be said twice."""
    lines = source.text.splitlines()
    for kind, _, (row, column), *_ in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if kind == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column]
    dropped = {line for node in source.nodes for line in docstring(node)}
    for node in source.all(ast.Import, ast.ImportFrom):
        dropped |= set(range(node.lineno, node.end_lineno + 1))
    return [(i, " ".join(x.split())) for i, x in enumerate(lines, 1) if x.strip() and i not in dropped]


def duplicates(package: list[Source]) -> Iterator[Row]:
    starts, lines = defaultdict(list), {source.path: code(source) for source in package}
    for path, numbered in lines.items():
        for at in range(len(numbered) - ALIKE + 1):
            starts[tuple(line for _, line in numbered[at : at + ALIKE])].append((path, at))
    pairs = {(*a, *b) for spots in starts.values() for a, b in itertools.combinations(spots, 2)}
    # A pair that goes on from the line above is the same pair.
    found = [(a, i, b, j) for a, i, b, j in sorted(pairs) if (a, i - 1, b, j - 1) not in pairs]
    places = [f"{a}:{lines[a][i][0]} and {b}:{lines[b][j][0]}" for a, i, b, j in found]
    yield Row("duplicated pairs", len(found), places)


def measure(root: Path) -> dict[str, Row]:
    package, times = read(root / "keras_kd"), root / "benchmarks/suite_times.json"
    if not package:
        raise SystemExit("house.py measures the Python files of a folder keras_kd. Received none.")
    found = [*lengths(package), *untyped(package), *private_names(package), *duplicates(package)]
    found += tested(package, read(root / "tests"))
    for label, seconds in json.loads(times.read_text()).items() if times.exists() else ():
        found += [Row(f"suite, {label}, {name}", value) for name, value in seconds.items()]
    return {row.name: row for row in found}


def measure_revision(revision: str) -> dict[str, Row]:
    made = subprocess.run(["git", "-C", ROOT, "archive", "--format=tar", revision], capture_output=True)
    if made.returncode:
        raise SystemExit(f"--before takes a revision of git, such as HEAD~1 or a hash. Received: {revision}")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(made.stdout)) as files:
        files.extractall(folder, filter="data")
        return measure(Path(folder))


def table(columns: dict[str, dict[str, Row]], short: bool) -> str:
    names = dict.fromkeys(name for column in columns.values() for name in column if name in AIMS or not short)
    missing, cells = Row("", "-"), [["", *columns, "aim"]]
    for name in names:
        values = (str(column.get(name, missing).value) for column in columns.values())
        cells.append([name, *values, AIMS.get(name, "")])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return "\n".join("  ".join(row).rstrip() for row in padded)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", metavar="REV", help="a revision to compare with")
    parser.add_argument("--list", action="store_true", help="also name the places")
    parser.add_argument("--short", action="store_true", help="only the rows that have an aim")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    arguments = parser.parse_args()
    columns = {arguments.before: measure_revision(arguments.before)} if arguments.before else {}
    columns["now"] = measure(ROOT)
    print(table(columns, arguments.short))
    for row in (row for row in columns["now"].values() if row.places and arguments.list):
        print(f"\n{row.name}: {row.value}", *row.places, sep="\n  ")
    if arguments.json:
        figures = {title: {name: row.value for name, row in rows.items()} for title, rows in columns.items()}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
