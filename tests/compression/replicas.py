"""`kd.Prune` and `kd.Cluster` on two replicas and on one device, for the tests of both.

The replicas are two logical CPU devices, which must be made before TensorFlow starts: all cases run in one
process of their own, `python -m tests.compression.replicas FILE`.
"""

import json
import subprocess
import sys
from pathlib import Path

import tensorflow as tf

from tests.sharing import made_once

ROOT = Path(__file__).parents[2]


def main(file):
    from tests.compression.clustering import test_cluster_replicas as cluster
    from tests.compression.pruning import test_prune_replicas as prune

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two, one = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()
    found = {
        room: {name: cases.compared(name, two, one) for name in cases.CASES}
        for room, cases in {"prune": prune, "cluster": cluster}.items()
    }
    Path(file).write_text(json.dumps(found))


def found_of(tmp_path_factory, room):
    """What was found of each case of a room, by name; the process runs once for both."""

    def find(folder):
        file = folder / "found.json"
        command = [sys.executable, "-W", "error", "-m", "tests.compression.replicas", str(file)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(file.read_text())

    return made_once(tmp_path_factory, "compression_replicas", find)[room]


if __name__ == "__main__":
    main(sys.argv[1])
