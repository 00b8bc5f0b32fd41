"""Loading TensorFlow, which takes seconds: commands do it when their arguments are known to be fine."""

import contextlib
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from keras_kd import startup

_NOTICE = b"loading TensorFlow"


def load_library(custom_objects: Sequence[str] | None = None) -> None:
    """Load TensorFlow and the library, unless they are, and then modules of the user.

    What is loaded is said on standard error, and nothing that TensorFlow logs. Ctrl-C ends the process.

    Args:
        custom_objects: Modules that register layers with Keras, by name or as `.py` files; `check_modules`
            knows them.
    """
    if startup.is_deferred:
        sys.stderr.flush()
        with _descriptor(2) as stderr, _ended_by_signals(stderr), _told(stderr):
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for a GPU, which is logged too
            startup.is_deferred = False
            # As `import keras_kd` does elsewhere, this registers its classes with Keras.
            importlib.reload(sys.modules["keras_kd"])
    for name in custom_objects or ():
        importlib.import_module(Path(name).stem if name.endswith(".py") else name)


def check_modules(names: Sequence[str] | None) -> Sequence[str] | None:
    """Modules of the user, which are looked for in the current folder, too.

    Raises:
        ValueError: There is no such module.
    """
    for name in names or ():
        folder = Path(name).parent if name.endswith(".py") else Path()
        sys.path.insert(0, str(folder.resolve()))
        module = Path(name).stem if name.endswith(".py") else name.partition(".")[0]
        if importlib.util.find_spec(module) is None:
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
def _ended_by_signals(stderr: int) -> Iterator[None]:
    """Have Ctrl-C and requests to end stop the process at once; an import may hide an interrupt."""

    def end(number: int, frame: FrameType | None) -> None:
        os.dup2(stderr, 2)
        startup.end_at_once(number, frame)

    handled = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
