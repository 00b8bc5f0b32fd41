"""Distill on all machines of a cluster: run the same command on each; TF_CONFIG says which one it is.

Run: python examples/multi_worker/train.py [--short]

Without TF_CONFIG it trains on this machine alone. All machines must share runs/multi_worker (with --short,
runs/multi_worker_short) on one file system: it holds the teacher (trained by teacher.py), the checkpoint,
and, at the end, the student. After a crash, the same command resumes the run, which ends as if nothing had
happened. A finished run is not trained further: delete state.npz to start over.
"""

import argparse
from pathlib import Path

import keras
import tensorflow as tf

import keras_kd as kd


def train(epochs, folder):
    keras.utils.set_random_seed(0)  # the same on all machines
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # reads TF_CONFIG; create it before running any op
    chief = strategy.cluster_resolver.task_id in (None, 0)

    # The batch size is global; each replica takes its share.
    data = kd.datasets.digits(batch_size=64)
    with strategy.scope():
        teacher = keras.models.load_model(folder / "teacher.keras")
        # Synchronized BatchNormalization: each replica's share of a batch is small.
        student = keras.models.clone_model(kd.models.digits_student(), clone_function=synchronized)
        distiller = kd.Distiller(student, teacher, temperature=4.0, alpha=0.1)
        distiller.compile(
            keras.optimizers.Adam(2e-3),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )

    state = kd.FullState(folder / "state.npz", delete_checkpoint=False)
    distiller.fit(data.train, epochs=epochs, callbacks=[state], verbose=2 if chief else 0)
    accuracy = distiller.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]  # on all machines
    if chief:
        student.save(folder / "student.keras")
        print(f"student: {100 * accuracy:.1f} % of the test digits are right")
    return accuracy


def synchronized(layer):
    config = layer.get_config()
    if isinstance(layer, keras.layers.BatchNormalization):
        config["synchronized"] = True
    return type(layer).from_config(config)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
    short = parser.parse_args().short
    train(1 if short else 20, Path("runs/multi_worker_short" if short else "runs/multi_worker"))
