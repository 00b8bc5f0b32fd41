"""Folders of finished and unfinished runs with damaged, lost, replaced and misshapen files."""

import json
import os
import shutil

from attacks.damage import damaged
from attacks.jobs import distill, save_inputs
from attacks.processes import Caller, run_command
from attacks.tally import WORKED, Tally

CODE = """
from keras_kd.jobs.distil_files import distil_files
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.user_files import UserFiles

def attack(folder):
    files = UserFiles("{inputs}/teacher.keras", "{inputs}/student.keras", "{inputs}/data.npz")
    _, report = distil_files(files, folder, Hyperparameters(0, 2))
    found = [(row.name, row.accuracy, row.bytes) for row in report.rows]
    assert found == {rows}, found
"""


# One of each kind: some seconds each, because the report is measured again.
LOST = ("report.html", "report.json", "teacher.keras", "seed0/distilled.keras", "seed0/alone.test.json")
LOST += ("student-int8.tflite", "student-float16.tflite.verified.json", "SHA256SUMS")


def attack(rng, folder, short):
    """Yield one tally after the other."""
    run = folder / "run"
    outcome = run_command(distill(save_inputs(folder), run), limit=600)
    assert outcome.kind == WORKED, outcome
    report = json.loads((run / "report.json").read_text())
    rows = [(row["name"], row["accuracy"], row["bytes"]) for row in report["rows"]]
    code = CODE.replace("{inputs}", str(folder)).replace("{rows}", repr(rows))
    with Caller(code, limit=300) as caller:
        names = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
        for title, changes in (
            ("run folders: damage", damage(rng, 1 if short else 6)),
            ("run folders: other content", misshapen),
        ):
            tally = Tally(title)
            for name in names if not short else rng.sample(names, 3):
                for what, content in changes((run / name).read_bytes()):
                    copy = folder / "copy"
                    shutil.copytree(run, copy)
                    (copy / name).write_bytes(content)
                    tally.add(f"{name}: {what}", caller.call(copy))
                    shutil.rmtree(copy)
            yield tally
        yield no_files(caller, run, names if not short else rng.sample(names, 3))
        yield lost_files(caller, run, LOST if not short else LOST[:1])


def damage(rng, changes):
    return lambda content: damaged(content, rng, changes)


def misshapen(content):
    for text in (
        "",
        "null",
        "[]",
        "{}",
        "3",
        '{"accuracy": "many"}',
        '{"format": "keras_kd report 1"}',
        "[" * 100_000,
    ):
        yield text[:40], text.encode()


def no_files(caller, run, names):
    """Something that is not a file where one was."""
    tally = Tally("run folders: pipes, folders, links")
    for name in names:
        for what, make in (
            ("pipe", os.mkfifo),
            ("folder", os.mkdir),
            ("loop", lambda path: path.symlink_to(path)),
        ):
            copy = run.with_name("copy")
            shutil.copytree(run, copy)
            (copy / name).unlink()
            make(copy / name)
            tally.add(f"{name} is a {what}", caller.call(copy))
            shutil.rmtree(copy)
    return tally


def lost_files(caller, run, names):
    """What is lost is made again, and the report is the same."""
    tally = Tally("run folders: lost files")
    for name in names:
        copy = run.with_name("copy")
        shutil.copytree(run, copy)
        (copy / name).unlink()
        tally.add(f"{name} is lost", caller.call(copy))
        shutil.rmtree(copy)
    return tally
