"""Imported first: keeps what TensorFlow logs while it is loaded off the command line."""

import os
import sys

if os.path.basename(sys.argv[0]) in ("keras-kd", "keras-kd.exe") or sys.orig_argv[1:3] == ["-m", "keras_kd"]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # That variable has no effect on lines written before TensorFlow has set up its log.
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU, and logs that
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
