"""A row of the table of tasks: trained seed by seed, kept in a folder, exported, checked, printed."""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras

import keras_kd as kd
from keras_kd.files import write_atomically

TITLES = ("task", "data", "metric", "teacher", "student alone", "distilled", "better by", "beside")
TITLES += ("parameters", "file", "its metric", "one call", "minutes")


class Trial(NamedTuple):
    """What one seed gave: values of the task's metric on test data, and the student.

    Args:
        scores: `"alone"`, `"distilled"`, mostly `"teacher"`, and by their names what stands beside them.
        student: The distilled student, which is exported.
        teacher_parameters: What the teacher has; 0 where there is none.
        test: Inputs and labels that the student's file is measured on.
        samples: Inputs from the training data, to calibrate the file with.
        data: The stand-in that was used where the row's own data is not at hand (`--short`).
        facts: Called with the student's file: what else stands beside it, in words.
    """

    scores: dict[str, float]
    student: keras.Model
    teacher_parameters: int
    test: tuple
    samples: object = None
    data: str | None = None
    facts: Callable[[Path], str] | None = None


class Row(NamedTuple):
    """One task on one data set.

    Args:
        name: What it is called in the table, and its folder.
        data: The data, in words.
        metric: What is measured, in words.
        trial: Called with a seed and a `Place`.
        seeds: How many seeds the full run has.
        quantization: Of the student's file, as in `kd.export`.
        measure: The metric of the file, as in `kd.verify`; without it, the accuracy. Of several outputs, each
            is measured, and the mean is shown.
        percent: Whether scores are parts of 1, printed in percent.
        less_is_better: Whether it is an error.
        in_short: Whether the short form has it: not where it would be another row again.
    """

    name: str
    data: str
    metric: str
    trial: Callable
    seeds: int = 3
    quantization: str | None = "int8"
    measure: object = None
    percent: bool = True
    less_is_better: bool = False
    in_short: bool = True


class Place(NamedTuple):
    """Where a row keeps what it makes, and whether it is run in its short form."""

    folder: Path
    short: bool

    def model(self, name: str, make: Callable[[], keras.Model]) -> keras.Model:
        """A trained model: made and kept the first time, read from its file after that."""
        path = self.folder / f"{name}.keras"
        if path.exists():
            return keras.models.load_model(path)
        model = make()
        with write_atomically(path) as part:
            kept = part.with_name(f"{part.name}.keras")  # Keras tells formats by their suffix
            model.save(kept)
            kept.replace(part)
        return model


def found_by(row: Row, seed: int, place: Place) -> dict:
    """What a seed of a row gave: read where it is kept, else trained and kept."""
    path = place.folder / f"seed{seed}.json"
    if path.exists():
        return json.loads(path.read_text("utf-8"))
    began = time.monotonic()
    trial = row.trial(seed, place)
    found = {"scores": {name: float(value) for name, value in trial.scores.items()}}
    found["parameters"] = [trial.teacher_parameters, trial.student.count_params()]
    found["data"] = trial.data or row.data
    found["file"] = None if seed else file_of(row, trial, place)
    found["seconds"] = time.monotonic() - began
    with write_atomically(path) as part:
        part.write_text(json.dumps(found, indent=1), "utf-8")
    return found


def file_of(row: Row, trial: Trial, place: Place) -> dict:
    """The student as a file: its size, its metric on the test data, and what a call takes."""
    options = {"calibration": trial.samples} if row.quantization in ("int8", "int16x8") else {}
    path = place.folder / "student.tflite"
    exported = kd.export(
        trial.student, path, quantization=row.quantization, overwrite=path.exists(), **options
    )
    checked = kd.verify(trial.student, exported.path, trial.test, metric=row.measure)
    speed = kd.benchmark(exported.path, seconds=0.3 if place.short else 2)
    figure = "file_accuracy" if row.measure is None else "file_metric"
    value = statistics.mean(getattr(output, figure) for output in checked.outputs)
    facts = trial.facts(path) if trial.facts else ""
    return {"bytes": exported.bytes, "metric": value, "ms": speed.median_ms, "facts": facts}


def cells(row: Row, found: list[dict]) -> list[str]:
    """A line of the table: mean and standard deviation over seeds, and of the gain its standard error."""
    scores = {name: [each["scores"][name] for each in found] for name in found[0]["scores"]}
    gains = [after - before for before, after in zip(scores["alone"], scores["distilled"], strict=True)]
    gains = [-gain for gain in gains] if row.less_is_better else gains
    beside = [name for name in scores if name not in ("teacher", "alone", "distilled")]
    teacher, student = found[0]["parameters"]
    file = found[0]["file"]
    facts = [file["facts"]] if file.get("facts") else []
    return [
        row.name,
        found[0]["data"],
        row.metric,
        *(spread(row, scores[name]) if name in scores else "" for name in ("teacher", "alone", "distilled")),
        spread(row, gains, signed=True, divisor=math.sqrt(len(gains))),
        ", ".join([f"{name} {spread(row, scores[name])}" for name in beside] + facts),
        f"{teacher:,} -> {student:,}" if teacher else f"{student:,}",
        f"{row.quantization or 'float32'}, {file['bytes'] / 1000:,.1f} kB",
        spread(row, [file["metric"]]),
        f"{file['ms']:.3g} ms",
        f"{sum(each['seconds'] for each in found) / 60:.1f}",
    ]


def spread(row: Row, values: list[float], signed: bool = False, divisor: float = 1.0) -> str:
    scale, digits = (100, 2) if row.percent else (1, 4)
    mean = f"{scale * statistics.mean(values):{'+' if signed else ''}.{digits}f}"
    several = len(values) > 1
    return f"{mean} ± {scale * statistics.stdev(values) / divisor:.{digits}f}" if several else mean


def run(rows: list[Row], out: Path, short: bool, seeds: int | None = None) -> list[list[str]]:
    """Train what is not there yet, and print each row as soon as it is complete."""
    lines = []
    print(
        "".join(f"| {' | '.join(line)} |\n" for line in (TITLES, ["---"] * len(TITLES))), end="", flush=True
    )
    for row in rows if not short else [row for row in rows if row.in_short]:
        place = Place(out / row.name.replace(" ", "-"), short)
        place.folder.mkdir(parents=True, exist_ok=True)
        count = 1 if short else seeds or row.seeds
        lines.append(cells(row, [found_by(row, seed, place) for seed in range(count)]))
        print(markdown(lines[-1:], titles=False), end="", flush=True)
    return lines


def markdown(lines: list[list[str]], titles: bool = True) -> str:
    """The table, or some of its lines."""
    heads = [TITLES, ["---"] * len(TITLES)] if titles else []
    return "".join(f"| {' | '.join(line)} |\n" for line in (*heads, *lines))


def main(rows: list[Row], description: str | None, arguments: list[str] | None = None) -> None:
    """The command line of a script with these rows; `arguments` is what a script leaves of its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="one seed, little training: does it run?")
    parser.add_argument("--seeds", type=int, help="default: what the table has")
    parser.add_argument("--out", type=Path, help="default: runs/tasks; if short, nothing is kept")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        out = given.out or Path(temporary if given.short else "runs/tasks")
        run(rows, out, given.short, given.seeds)
