"""The same training under Ray Train, which starts the workers and restarts them when one dies.

Run: python examples/multi_worker/ray_train.py [--short]

It needs pip install 'keras-kd[ray]'. If RAY_ADDRESS is set, it runs on that cluster, whose machines must all
have access to runs/ray_train.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

# On one machine: no dashboard, and a small object store, since nothing is stored in it.
ALONE = {"include_dashboard": False, "object_store_memory": 80_000_000}


def run(work, config, workers, failures):
    """Run `work(config)` on each worker, with its own TF_CONFIG; return the first worker's result."""
    alone = "RAY_ADDRESS" not in os.environ
    if alone:  # read when Ray is imported: stay on the loopback interface, send no usage statistics
        os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer

    ray.init(**{**ALONE, "num_cpus": workers} if alone else {})
    try:
        failure_config = FailureConfig(max_failures=failures)
        trainer = TensorflowTrainer(
            work,
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=workers),
            run_config=RunConfig(storage_path=f"{config['folder']}/ray", failure_config=failure_config),
        )
        return trainer.fit().return_value
    finally:
        ray.shutdown()


def work(config):
    from train import train

    return train(config["epochs"], Path(config["folder"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
    options = parser.parse_args()
    short = ["--short"] if options.short else []
    folder = Path("runs/ray_train_short" if short else "runs/ray_train").absolute()
    if not (folder / "teacher.keras").exists():
        command = [sys.executable, Path(__file__).parent / "teacher.py", *short, "--folder", folder]
        subprocess.run(command, check=True)
    config = {"epochs": 1 if short else 20, "folder": str(folder)}
    accuracy = run(work, config, options.workers, failures=3)
    print(f"student: {100 * accuracy:.1f} % of the test digits are right")
