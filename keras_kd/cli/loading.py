"""Loading TensorFlow, which takes seconds: commands do it when their arguments are known to be fine."""

import contextlib
import gc
import importlib
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from types import FrameType

from keras_kd import startup
from keras_kd.files import check_regular

_NOTICE = b"loading TensorFlow"
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
# What Keras says of .h5 files is for those who train the model further or save it, which no command does.
_NOISE = (
    "Compiled the loaded model, but the compiled metrics",
    "No training configuration found in the save file",
    "You are saving your model as an HDF5 file",
)


def load_library(custom_objects: Sequence[str] | None = None) -> None:
    """Load TensorFlow and the library, unless they are, and then modules of the user.

    What is loaded is said on standard error, and nothing that TensorFlow logs. Ctrl-C ends the process.

    Args:
        custom_objects: Modules that register layers with Keras, by name or as `.py` files; they passed
            `check_modules`. They may import what lies beside them, or in the current folder.
    """
    if startup.is_deferred:
        sys.stderr.flush()
        with _descriptor(2) as stderr, _ended_by_signals(stderr), _told(stderr), _uncollected():
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for a GPU, which is logged too
            startup.is_deferred = False
            # As `import keras_kd` does elsewhere, this registers its classes with Keras.
            importlib.reload(sys.modules["keras_kd"])
    logging.getLogger("absl").addFilter(_matters)
    for name in custom_objects or ():
        _import(name)


def _matters(record: logging.LogRecord) -> bool:
    """Whether the user of a command has to know what a library says."""
    return not record.getMessage().startswith(_NOISE)


def _import(name: str) -> None:
    """Import a module by its name or file: a file is what it is, whatever other module has its name."""
    if not name.endswith(".py"):
        sys.path.insert(0, os.getcwd())
        importlib.import_module(name)
        return
    path = Path(name).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "its name ends in .py"
    assert spec.loader is not None, "it is a file"
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)


def check_modules(names: Sequence[str] | None) -> Sequence[str] | None:
    """Modules of the user, which are looked for in the current folder, too.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: There is no such module.
    """
    for name in names or ():
        if name.endswith(".py"):
            check_regular(Path(name), "a .py file")
        elif PathFinder.find_spec(name.partition(".")[0], [os.getcwd(), *sys.path]) is None:
            raise ValueError(
                f"There is no module {name!r}, neither in the current folder nor installed. "
                "--custom-objects takes the name of a module, or a .py file, that registers your layers."
            )
    return names


@contextlib.contextmanager
def _descriptor(number: int) -> Iterator[int]:
    """A second descriptor of what one leads to."""
    copy = os.dup(number)
    try:
        yield copy
    finally:
        os.close(copy)


@contextlib.contextmanager
def _told(stderr: int) -> Iterator[None]:
    """Say on `stderr` what is being loaded; until the end, descriptor 2 leads nowhere.

    What TensorFlow logs before it has set up its logging is kept off by nothing else.
    """
    null, is_terminal = os.open(os.devnull, os.O_WRONLY), os.isatty(stderr)
    with contextlib.suppress(OSError):  # nobody may be reading
        os.write(stderr, _NOTICE + (b"" if is_terminal else b"\n"))
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        if is_terminal:
            with contextlib.suppress(OSError):
                os.write(2, b"\r" + b" " * len(_NOTICE) + b"\r")


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave what is imported out of Python's garbage collection, for good.

    It is half a million objects that live as long as the process, looked at again and again.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextlib.contextmanager
def _ended_by_signals(stderr: int) -> Iterator[None]:
    """Have Ctrl-C and requests to end stop the process at once; an import may hide an interrupt."""

    def end(number: int, frame: FrameType | None) -> None:
        os.dup2(stderr, 2)
        startup.end_at_once(number, frame)

    handled = {
        number: signal.getsignal(number)
        for number in (getattr(signal, name) for name in _ENDING if hasattr(signal, name))
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
