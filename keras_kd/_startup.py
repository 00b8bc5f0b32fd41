"""Imported first: keeps what TensorFlow logs off the command line, and out of files of the user."""

import os
import signal
import sys

from keras_kd.descriptors import reserve_standard_descriptors

reserve_standard_descriptors()
if os.path.basename(sys.argv[0]) in ("keras-kd", "keras-kd.exe") or sys.orig_argv[1:3] == ["-m", "keras_kd"]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Ctrl-C ends the process without a traceback while TensorFlow loads; `main` takes over from here.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # That variable has no effect on what is written before TensorFlow has set up its logging.
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU, which is logged too
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
