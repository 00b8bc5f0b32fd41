"""Label a part of the data as one process of a job array, or all of it on a cluster of Ray.

Run: python examples/teach_at_scale/teach.py [--short]

Each file of data becomes a shard. Every process reads its own files only, and a process that is started again
goes on with the files that have no shard yet. On Slurm, the same script labels with 64 processes:

    sbatch --array=0-63 --wrap 'python teach.py --part $SLURM_ARRAY_TASK_ID 64'

--ray needs pip install 'keras-kd[ray]', and runs on the cluster that RAY_ADDRESS names, or else here. The
folder may be on an object store: --folder s3://bucket/taught.
"""

import argparse
import functools
import os
import sys
from pathlib import Path

import keras
import numpy as np

import keras_kd as kd


def read(path):
    """The batches of one file."""
    with np.load(path) as arrays:
        x, y = arrays["x"], arrays["y"]
    for start in range(0, len(x), 64):
        yield x[start : start + 64], y[start : start + 64]


def alone_on_ray(workers):
    """Ray on this machine: on the loopback interface, without a dashboard, with a small object store."""
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray

    ray.init(num_cpus=workers + 1, include_dashboard=False, object_store_memory=80_000_000)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="runs/teach_at_scale", help="the folder of teacher.keras and files")
    parser.add_argument("--folder", help="where shards go; default: taught, in the folder of the data")
    parser.add_argument("--part", type=int, nargs=2, metavar=("INDEX", "COUNT"), help="this process, of many")
    parser.add_argument("--ray", type=int, metavar="WORKERS", help="label with so many workers of Ray")
    parser.add_argument("--short", action="store_true", help="as launch.py --short made it")
    options = parser.parse_args()
    data = Path(f"{options.data}_short" if options.short else options.data).absolute()
    teacher = keras.saving.load_model(data / "teacher.keras", compile=False)
    files = [functools.partial(read, path) for path in sorted(data.glob("train-*.npz"))]
    if not files:
        sys.exit(f"No train-*.npz in {data}: run launch.py, which makes them.")
    if options.ray and "RAY_ADDRESS" not in os.environ:
        alone_on_ray(options.ray)
    bulk = {"engine": "ray", "workers": options.ray} if options.ray else {}
    bulk = {"part": tuple(options.part)} if options.part else bulk
    kd.precompute(teacher, files, options.folder or data / "taught", top_k=5, **bulk)


if __name__ == "__main__":
    main()
