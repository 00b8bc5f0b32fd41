"""Start train.py on several workers of this machine, and restart all of them when one dies.

Run: python examples/multi_worker/launch.py [--short]

On a cluster, the scheduler does this: it runs train.py on every machine, each with its own TF_CONFIG. Any
supervisor that restarts all workers when one dies will do.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(command, workers):
    """For each worker, a process with its index in the cluster, and a thread that prints its output."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(workers)]}
    group = []
    for index in range(workers):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        environment = {**os.environ, "TF_CONFIG": config, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        thread = threading.Thread(target=forward, args=(process.stdout, index))
        thread.start()
        group.append((process, thread))
    return group


def forward(lines, index):
    with lines:
        for line in lines:
            print(f"[{index}] {line}", end="", flush=True)


def wait(group, asked):
    """Wait until all are done, one has failed, or a signal asks to end; return the exit code, if any."""
    while not asked:
        codes = [process.poll() for process, _ in group]
        failed = [code for code in codes if code]
        if failed or None not in codes:
            return failed[0] if failed else 0
        time.sleep(0.1)


def run(command, workers, restarts):
    """Run the workers until they finish or fail more than `restarts` times; return the exit code."""
    asked = []  # signals: as exceptions, they could come while a worker starts, and leave it running
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.append(number))
    for left in range(restarts, -1, -1):
        group = start(command, workers)
        try:
            code = wait(group, asked)
        finally:
            for process, _ in group:
                process.kill()  # the others wait for the one that died
            for process, thread in group:
                process.wait()
                thread.join()
        if asked or code == 0:  # a terminal has asked the workers, too
            return 128 + asked[0] if asked else 0
        print(f"A worker ended with {code}. Restarts left: {left}.", flush=True)
    return 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--restarts", type=int, default=3, help="how often to restart after a crash")
    options, others = parser.parse_known_args()  # the others are for train.py
    folder = "runs/multi_worker_short" if "--short" in others else "runs/multi_worker"
    if not Path(folder, "teacher.keras").exists():
        subprocess.run([sys.executable, HERE / "teacher.py", *others], check=True)
    sys.exit(run([sys.executable, str(HERE / "train.py"), *others], options.workers, options.restarts))


if __name__ == "__main__":
    main()
