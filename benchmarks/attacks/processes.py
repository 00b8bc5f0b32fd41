"""Processes that use keras_kd as a program or a user does, watched from outside."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from attacks.tally import DEATH, HANG, LOST, REFUSED, TRACEBACK, WORKED, WRONG, Outcome

ROOT = Path(__file__).resolve().parents[2]


def environment(**changes):
    """The environment of a process that uses this keras_kd."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": path}
    return os.environ | quiet | changes


def signal_name(code):
    return signal.Signals(-code).name


def run_command(arguments, *, limit=120, kept=(), ends_by=(), **options):
    """Run `keras-kd` with some arguments, as a shell does, and judge how it ended.

    Args:
        arguments: those after `keras-kd`.
        limit: seconds until it hangs.
        kept: files that must be the same afterwards.
        ends_by: exit codes besides 0 to 2 that are right, such as 130 after an interrupt.
        options: for `subprocess.Popen`, such as `env` and `cwd`.
    """
    before = {path: Path(path).read_bytes() for path in kept}
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_kd", *map(str, arguments)],
        **{
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": environment(),
        }
        | options,
    )
    try:
        outputs = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Outcome(HANG, f"no end after {limit} s")
    text = b"\n".join(filter(None, outputs)).decode(errors="replace")
    for path, content in before.items():
        if not Path(path).exists() or Path(path).read_bytes() != content:
            return Outcome(LOST, str(path))
    return judged(process.returncode, text, ends_by)


def judged(code, text, ends_by=()):
    """The outcome of a command that ended with an exit code and printed a text."""
    last = text.strip().splitlines()[-1:] or [""]
    if "Traceback (most recent call last)" in text:
        return Outcome(TRACEBACK, last[0])
    if code < 0 and code not in ends_by:
        return Outcome(DEATH, f"{signal_name(code)}: {last[0]}")
    if code not in (0, 1, 2, *ends_by):
        return Outcome(TRACEBACK, f"exit code {code}: {last[0]}")
    return Outcome(WORKED if code == 0 else REFUSED, last[0])


class Caller:
    """A Python process that calls keras_kd on one input after the other, and is replaced if it dies.

    Args:
        code: defines `attack(argument)`, a function of a string. An error that is not one of the documented
            ones is a traceback; one that names nothing is, too. An `AssertionError` is a wrong answer.
        limit: seconds until a call hangs.
    """

    PROGRAM = """
import os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
{code}
print("ready", file=answers, flush=True)
for line in sys.stdin:
    try:
        attack(line.rstrip("\\n"))
        answer = "worked"
    except (ValueError, TypeError, OSError) as error:
        answer = f"refused {{error}}" if str(error) else f"traceback {{error!r}}"
    except AssertionError as error:
        answer = f"wrong {{error}}"
    except Exception as error:
        answer = f"traceback {{error!r}}"
    print(" ".join(answer.split()), file=answers, flush=True)
"""

    def __init__(self, code, limit=60, **env):
        self.program, self.limit, self.env = self.PROGRAM.format(code=code), limit, env
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, argument):
        """Have the process call `attack(argument)`, and judge what came of it."""
        if self.process is None:
            self._start()
        try:
            self.process.stdin.write(f"{argument}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        else:
            if not select.select([self.process.stdout], [], [], self.limit)[0]:
                self.close()
                return Outcome(HANG, f"no answer after {self.limit} s")
        kind, _, detail = self.process.stdout.readline().decode(errors="replace").strip().partition(" ")
        if not kind:
            code = self.process.wait()
            self.close()
            return Outcome(DEATH, signal_name(code) if code < 0 else f"exit code {code}")
        return Outcome(
            {"worked": WORKED, "refused": REFUSED, "traceback": TRACEBACK, "wrong": WRONG}[kind], detail
        )

    def _start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(**self.env),
        )
        if self.process.stdout.readline().strip() != b"ready":
            raise RuntimeError("The process that is to call keras_kd does not start.")

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
