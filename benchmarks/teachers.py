"""What a teacher costs by where it runs: in the compiled step, or on the host, so that the step waits for it.

    python benchmarks/teachers.py [--short]

One network teaches in each format: as a Keras model, as a SavedModel, as a `.tflite` file, as an ONNX file if
onnxruntime and onnx are installed. The others are an ensemble that runs it three times, a function of NumPy
arrays that does nothing but return what it was given, which is what leaving the step costs, and a random
forest of scikit-learn. The students train in `fit` on the same batch over and over, in turns, and a ratio
compares two laps of the same round. Shown are medians [quartiles] of CPU time, that of all threads, which
other load affects less than wall-clock time.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import keras_kd as kd

CLASSES, FEATURES = 10, 64


def network(units, hidden, name):
    inputs = x = keras.Input((FEATURES,))
    for _ in range(hidden):
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(x), name=name)


def onnx_file(model, path):
    """The network as an ONNX file, or `None` without the packages for it."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError:
        return None
    make, nodes, weights, x = onnx.helper, [], [], "x"
    for i, layer in enumerate(model.layers[1:]):
        kernel, bias = layer.get_weights()
        weights += [
            onnx.numpy_helper.from_array(kernel, f"w{i}"),
            onnx.numpy_helper.from_array(bias, f"b{i}"),
        ]
        nodes.append(make.make_node("Gemm", [x, f"w{i}", f"b{i}"], [f"z{i}"]))
        x = f"z{i}"
        if layer is not model.layers[-1]:
            nodes.append(make.make_node("Relu", [x], [f"a{i}"]))
            x = f"a{i}"
    sides = [make.make_tensor_value_info(n, 1, ["n", w]) for n, w in (("x", FEATURES), (x, CLASSES))]
    graph = make.make_graph(nodes, "net", sides[:1], sides[1:], weights)
    opset = [make.make_opsetid("", 17)]
    path.write_bytes(make.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())
    return path


def forest(x, trees):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, random_state=0).fit(x, np.arange(len(x)) % CLASSES)


def teachers(folder, x, short):
    """The teachers by name."""
    model = network(64 if short else 512, 3, "teacher")
    model.export(folder / "saved", verbose=False)
    kd.export(model, folder / "net.tflite", batch_size=len(x))
    onnx = onnx_file(model, folder / "net.onnx")
    found = {
        "no teacher": None,
        "Keras model": model,
        "SavedModel": kd.as_teacher(folder / "saved"),
        "ensemble of 3": kd.ensemble([model] * 3, names=["a", "b", "c"]),
        ".tflite file": kd.as_teacher(folder / "net.tflite", host=True),
        ".onnx file": None if onnx is None else kd.as_teacher(onnx, host=True),
        "function that does nothing": kd.as_teacher(
            lambda x: x[:, :CLASSES], inputs=(FEATURES,), host=True, name="nothing"
        ),
        "random forest": kd.as_teacher(forest(x, 5 if short else 100), host=True),
    }
    return {name: one for name, one in found.items() if one is not None or name == "no teacher"}


def trainers(found):
    """A compiled student for each."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made = {}
    for name, teacher in found.items():
        student = network(32, 1, "student")
        made[name] = student if teacher is None else kd.Distiller(student, teacher)
        made[name].compile("sgd", loss=loss)
    return made


def lap(trainer, x, y, steps):
    """CPU milliseconds of a step, in one epoch of so many."""
    data = np.tile(x, (steps, 1)), np.tile(y, steps)
    began = time.process_time()
    trainer.fit(*data, batch_size=len(x), shuffle=False, verbose=0)
    return (time.process_time() - began) / steps * 1000


def quartiles(values):
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:8.2f} [{low:.2f}, {high:.2f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="tiny models and few steps")
    short = parser.parse_args().short
    rounds, steps, samples = (2, 5, 32) if short else (11, 200, 128)
    x = np.random.default_rng(0).normal(size=(samples, FEATURES)).astype("float32")
    y = np.arange(samples) % CLASSES
    with tempfile.TemporaryDirectory() as folder:
        made = trainers(teachers(Path(folder), x, short))
        for trainer in made.values():
            lap(trainer, x, y, 2)
        laps = [{name: lap(trainer, x, y, steps) for name, trainer in made.items()} for _ in range(rounds)]
    print(f"{'teacher':28}{'CPU ms / step':>26}{'step / step with the Keras model':>40}")
    for name in made:
        ratios = [one[name] / one["Keras model"] for one in laps]
        print(f"{name:28}{quartiles([one[name] for one in laps]):>26}{quartiles(ratios):>40}")


if __name__ == "__main__":
    main()
