"""Imported first: the command line does not show what TensorFlow tells while it is loaded."""

import os
import sys

if os.path.basename(sys.argv[0]) in ("keras-kd", "keras-kd.exe") or sys.orig_argv[1:3] == ["-m", "keras_kd"]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # That variable does not reach the lines written before TensorFlow has set up its log.
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU, and says so
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
