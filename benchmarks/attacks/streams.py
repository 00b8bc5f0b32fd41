"""Commands whose standard streams are closed, full or broken, and names with control characters."""

import subprocess
import sys

from attacks.jobs import save_inputs
from attacks.processes import environment, judged
from attacks.tally import HANG, LOST, TRACEBACK, WRONG, Outcome, Tally

REDIRECTIONS = (
    "</dev/null",
    "<&-",
    ">&-",
    "2>&-",
    "<&- 2>&-",
    "<&- >&- 2>&-",
    "2>/dev/full",
    ">/dev/full",
    "| true",
    "2>&1 | true",
)
# A program that writes its own file while keras_kd works, with a stream missing: it may have its number.
DAEMON = """
import os, sys
{close}
import keras
import keras_kd as kd

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
mine = open(sys.argv[1], "wb", buffering=0)
mine.write(b"first ")
kd.export(model, sys.argv[2], quantization="float16")
kd.LiteModel(sys.argv[2]).predict([[1.0, 2.0, 3.0, 4.0]])
kd.benchmark(sys.argv[2])
mine.write(b"last")
"""
CLOSES = (
    "",
    "os.close(2)",
    "os.close(1); os.close(2)",
    "os.closerange(0, 3)",
    "sys.stderr = sys.stdout = None",
)
CONTROL = "\x1b[2J\r\u202e"


def attack(rng, folder, short):
    """Yield one tally after the other."""
    save_inputs(folder)
    commands = {
        "taps teacher.keras": 0,
        "taps gone.keras": 1,
        "export teacher.keras --out new.tflite --overwrite": 0,
    }
    tally = Tally("closed, full and broken streams")
    for command, code in commands.items() if not short else [*commands.items()][:1]:
        for redirection in REDIRECTIONS if not short else rng.sample(REDIRECTIONS, 1):
            tally.add(f"{command} {redirection}", run(command, redirection, folder, code))
    yield tally
    tally = Tally("closed streams of a program")
    for close in CLOSES if not short else CLOSES[:1]:
        for redirection in ("", "2>&-", ">&- 2>&-", "<&- >&- 2>&-") if not short else ("",):
            tally.add(f"{close} {redirection}", run_daemon(close, redirection, folder))
    yield tally
    tally = Tally("control characters in names")
    for arguments in names() if not short else [*names()][:1]:
        tally.add(repr(arguments), run_evil(arguments, folder))
    yield tally


def shell(text, folder, *arguments):
    command = ["bash", "-c", text, sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, timeout=180)


def run(command, redirection, folder, code):
    try:
        text = f'"$0" -m keras_kd {command} {redirection}; exit ${{PIPESTATUS[0]}}'
        result = shell(text, folder)
    except subprocess.TimeoutExpired:
        return Outcome(HANG)
    lost = ">/dev/full" in redirection and "2>" not in redirection and code == 0
    broken = "| true" in redirection and code == 0
    outcome = judged(result.returncode, (result.stdout + result.stderr).decode(), ends_by=(141,))
    expected = 1 if lost else 141 if broken else code
    if result.returncode != expected:
        return Outcome(TRACEBACK, f"exit code {result.returncode} instead of {expected}: {outcome.detail}")
    return outcome


def run_daemon(close, redirection, folder):
    mine, out = folder / "mine.bin", folder / "daemon.tflite"
    out.unlink(missing_ok=True)
    program = DAEMON.replace("{close}", close)
    try:
        result = shell(f'"$0" -c "$@" {redirection}', folder, program, str(mine), str(out))
    except subprocess.TimeoutExpired:
        return Outcome(HANG)
    if mine.read_bytes() != b"first last":
        return Outcome(LOST, f"the file of the program holds {mine.read_bytes()[:80]!r}")
    return judged(result.returncode, result.stderr.decode(errors="replace"))


def names():
    """Arguments of commands that name what does not exist, and what does."""
    yield ["taps", f"gone{CONTROL}.keras"]
    yield ["taps", f"gone{CONTROL}\n.keras"]
    yield ["benchmark", f"gone{CONTROL}\n.tflite"]
    yield ["export", "teacher.keras", "--out", f"none{CONTROL}\n/a.tflite"]
    yield ["export", "teacher.keras", "--out", f"new{CONTROL}.tflite", "--overwrite"]
    yield ["compare", f"a{CONTROL}\n[/b]=teacher.keras", "--data", "data.npz"]
    yield ["compare", f"a{CONTROL}=teacher.keras", "--data", "data.npz", "--json"]
    yield [f"ex{CONTROL}port"]
    yield ["export", "teacher.keras", f"--{CONTROL}"]
    yield ["--debug", "taps", f"gone{CONTROL}.keras"]


def run_evil(arguments, folder):
    command = [sys.executable, "-m", "keras_kd", *arguments]
    try:
        result = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, timeout=180)
    except subprocess.TimeoutExpired:
        return Outcome(HANG)
    text = (result.stdout + result.stderr).decode()
    if any(character in text for character in CONTROL if not character.isprintable()):
        return Outcome(WRONG, f"printed {text!r}")
    return judged(result.returncode, "" if "--debug" in arguments else text)
