"""What takes long to make and is only read is made once in a test run, whichever worker needs it first."""

import fcntl
import os
import pickle
import shutil


def made_once(factory, name, make):
    """What `make(folder)` returns, made by the first worker that asks for it; others wait, and read it.

    Args:
        factory: The fixture `tmp_path_factory`.
        name: Of the folder that the workers share.
        make: Called with an empty folder; what it returns is pickled.
    """
    of_worker = factory.getbasetemp()
    shared = of_worker.parent if "PYTEST_XDIST_WORKER" in os.environ else of_worker
    folder, made = shared / name, shared / f"{name}.pickle"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an attempt that failed in another worker
            folder.mkdir()
            made.write_bytes(pickle.dumps(make(folder)))
    return pickle.loads(made.read_bytes())
