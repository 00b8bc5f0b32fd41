"""The program of a trial: opens `.tflite` files and runs each once, so that a fault ends this process only.

`trials.py` starts it without the rest of the package, because TensorFlow takes seconds to load. It reads one
path per line, in JSON, and answers each with a line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment.opening.validation import find_fault

READ_BELOW = 2**28  # bytes; a larger file stays on the disk
NOT_RUN = "cannot be run: "  # begins what is wrong with a file that is whole, but not for this interpreter
# Of dynamic axes: first as the file says, which is how it is opened; many models need more than one pixel.
_LENGTHS = (None, 1, 32)
_SCALES = (0, 1, 1000)  # of the inputs


def load(path: Path) -> tuple[bytes | mmap.mmap, str]:
    """The contents of a file and their digest; a file that is read cannot change afterwards."""
    with path.open("rb") as file:
        small = os.fstat(file.fileno()).st_size < READ_BELOW
        content = file.read() if small else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return content, hashlib.sha256(content).hexdigest()


def make_interpreter(path: Path, content: bytes | mmap.mmap, threads: int) -> Interpreter:
    """An interpreter of the contents of a file.

    Raises:
        ValueError: if the structure of the file is damaged.
    """
    source = {"model_content": content} if isinstance(content, bytes) else {"model_path": str(path)}
    return Interpreter(**source, num_threads=threads)


def examine(path: Path) -> tuple[str, str | None]:
    """Open and run a file, which ends the process if the file is bad enough.

    Returns:
        The digest of the contents, and what is wrong with them, or `None`.
    """
    content, digest = load(path)
    with contextlib.suppress(ValueError, RuntimeError):
        interpreter = make_interpreter(path, content, threads=1)
        fault = find_fault(content, _memory())
        if fault is not None:
            return digest, fault
        try:
            # A process in which this fails may crash later, when LiteRT cleans up.
            if reason := _allocation_error(interpreter):
                return digest, f"{NOT_RUN}{reason}"
            for length in _LENGTHS:
                _run(interpreter, length)
        except MemoryError:
            return digest, "it needs more memory than this machine has"
    return digest, None


def _allocation_error(interpreter: Interpreter) -> str | None:
    """The error of a file that cannot be run at all; one with dynamic axes may run with other shapes."""
    if any(-1 in tensor["shape_signature"][1:] for tensor in interpreter.get_input_details()):
        return None
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        return " ".join(str(error).split())
    return None


def _run(interpreter: Interpreter, length: int | None) -> None:
    rng = np.random.default_rng(0)
    with contextlib.suppress(ValueError, RuntimeError):
        for tensor in interpreter.get_input_details():
            if length is not None and -1 in tensor["shape_signature"]:
                shape = [length if size == -1 else size for size in tensor["shape_signature"]]
                interpreter.resize_tensor_input(tensor["index"], shape)
        interpreter.allocate_tensors()
        interpreter.reset_all_variables()
        for scale in _SCALES:
            for tensor in interpreter.get_input_details():
                values = scale * rng.random(tensor["shape"])
                interpreter.set_tensor(tensor["index"], values.astype(tensor["dtype"]))
            interpreter.invoke()


def _memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**40


def _limit_memory() -> None:
    """Have the system end this process, not its parent, over a file that asks for too much memory."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_memory(), _memory()))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:  # pragma: no cover, it runs in the child that the tests of trials.py start
    """Answer requests until stdin ends."""
    # Only answers may reach the parent's pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _limit_memory()
    for line in sys.stdin:
        digest, fault, error = "", None, None
        try:
            digest, fault = examine(Path(json.loads(line)))
        except OSError as raised:
            error = str(raised)
        print(json.dumps([digest, fault, error]), file=answers, flush=True)
