"""Jobs that are ended at random times and started again: the files are those of a job that never was."""

import shutil
import signal
import subprocess
import sys
import time

from attacks.jobs import digests, distill, save_inputs
from attacks.processes import environment, judged, run_command
from attacks.tally import HANG, LOST, WORKED, WRONG, Outcome, Tally

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -signal.SIGKILL}


def attack(rng, folder, short):
    """Yield one tally after the other."""
    inputs = save_inputs(folder)
    temporary = folder / "temporary"
    temporary.mkdir()
    started = time.monotonic()
    outcome = run_command(distill(inputs, folder / "whole"), limit=600)
    seconds, expected = time.monotonic() - started, digests(folder / "whole")
    assert outcome.kind == WORKED, outcome
    for number in SIGNALS if not short else rng.sample([*SIGNALS], 1):
        code = SIGNALS[number]
        tally = Tally(f"{number.name} and the same command again")
        for attempt in range(1 if short else 4):
            out, delay = folder / f"{number.name}{attempt}", rng.uniform(0.1, 1) * seconds
            ended = interrupt(distill(inputs, out), number, code, delay, temporary)
            if ended.kind == WORKED:
                ended = resume(distill(inputs, out), out, expected, killed=number is signal.SIGKILL)
            tally.add(f"after {delay:.1f} s", ended)
            shutil.rmtree(out, ignore_errors=True)
        yield tally


def interrupt(arguments, number, code, delay, temporary):
    """Start a job, end it with a signal, and look at what it left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_kd", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(TMPDIR=str(temporary), PYTHONFAULTHANDLER="1"),
        # As from a terminal: what a shell starts in the background ignores this signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        text, _ = process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        try:
            text, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # has Python print where it is
            text, _ = process.communicate()
            return Outcome(HANG, f"{number.name} did not end it: {text.decode(errors='replace')[-2000:]}")
    # Before Python runs the command, the signals have their usual effect.
    outcome = judged(process.returncode, text.decode(), ends_by=(code, -number))
    if outcome.kind not in (WORKED, "refused"):
        return outcome
    if number is not signal.SIGKILL and any(temporary.glob("keras_kd_*")):
        return Outcome(LOST, f"left {[path.name for path in temporary.iterdir()]}")
    return Outcome(WORKED)


def resume(arguments, out, expected, killed):
    """Start the job again; its files must be those of a job that was not interrupted."""
    outcome = run_command(arguments, limit=600)
    if outcome.kind != WORKED:
        return outcome
    if digests(out) != expected:
        return Outcome(WRONG, f"other files: {sorted(digests(out).items() ^ expected.items())}")
    if not killed and any(out.rglob(".part-*")):
        return Outcome(LOST, "a part of a file was left")
    return Outcome(WORKED)
