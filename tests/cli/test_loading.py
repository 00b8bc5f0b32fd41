"""What the command line answers without TensorFlow, and what it says while that loads."""

import importlib
import json
import logging
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.cli.loading import check_modules, load_library
from keras_kd.cli.training_options import QUANTIZATIONS
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.runs import Run
from keras_kd.jobs.user_files import Options, UserFiles, settings_of_run
from tests.cli.conftest import run
from tests.sharing import made_once

HEAVY = {"tensorflow", "keras", "numpy", "h5py", "matplotlib", "keras_kd.losses", "keras_kd.jobs.distil"}
MISSING = ["--teacher", "big.keras", "--student", "small.keras", "--data", "mine.npz", "--out", "run"]
TRAINED = ["distill", "--teacher", "a.keras", "--student", "a.keras", "--data", "b.npz", "--out", "run"]
MEASURED = ["verify", "a.keras", "a.tflite", "--data"]
COMPARED = ["compare", "big=a.keras", "--data", "b.npz"]
ANSWERED = {
    "help": (["--help"], 0, "Usage"),
    "version": (["--version"], 0, "keras-kd 0"),
    "help of a command": (["distill", "--help"], 0, "Example"),
    "no such command": (["exprot"], 2, "export"),
    "no such choice": (["export", "m.keras", "--quantization", "int7", "--out", "m.tflite"], 2, "int8"),
    "no such model": (["taps", "m.keras"], 1, "There is no file 'm.keras'"),
    "no such file": (["benchmark", "m.tflite"], 1, "There is no file 'm.tflite'"),
    "no such data": (["verify", "a.keras", "a.tflite", "--data", "a.npz"], 1, "no file 'a.npz'"),
    "another suffix of data": (
        ["verify", "a.keras", "a.tflite", "--data", "a.keras"],
        1,
        "Expected data: .npz",
    ),
    "another size": (["export", "a.keras", "--out", "b.tflite", "--image-size", "x"], 2, "as in 224x224"),
    "another suffix": (["taps", "m.onnx"], 1, "Expected a Keras model"),
    "another suffix to write": (["export", "a.keras", "--out", "a.onnx"], 1, "must end in .tflite"),
    "another batch size": (["export", "a.keras", "--out", "b.tflite", "--batch-size", "x"], 2, "or free"),
    "models of a run": (["distill", *MISSING], 1, "There is no file 'big.keras'"),
    "models of a comparison": (["compare", "big=m.keras", "--data", "b.npz"], 1, "no file 'm.keras'"),
    "no such loss": ([*TRAINED, "--loss", "decopled_kd"], 2, "Did you mean 'decoupled_kd'"),
    "no such loss of an objective": ([*TRAINED, "--objective", "0.5*mze:a:b"], 2, "Did you mean 'mse'"),
    "no temperature": ([*TRAINED, "--temperature", "0"], 2, "'--temperature': expected a positive number"),
    "no end of a rate": (
        [*TRAINED, "--learning-rate", "inf"],
        2,
        "'--learning-rate': expected a positive number. Received: inf",
    ),
    "no target": ([*TRAINED, "--data", "c.csv"], 1, "Its columns are x, kind; perhaps --target 'kind'"),
    "no calibration": (
        ["export", "a.keras", "--out", "b.tflite", "--quantization", "int16x8"],
        1,
        "--quantization int16x8 needs --data",
    ),
    "nothing to continue": (
        [*TRAINED, "--continue"],
        1,
        "no run that could be continued: leave out --continue",
    ),
    "a file for a folder": ([*TRAINED, "--out", "b.csv"], 1, "b.csv is a file"),
    "files of something else": ([*TRAINED, "--out", "."], 1, "files that are not from a run"),
    "a run of other settings": (
        [*TRAINED, "--out", "old", "--alpha", ".2"],
        1,
        "recipe.alpha was 0.1, now 0.2",
    ),
    "a run of fewer epochs": (
        [*TRAINED, "--out", "old", "--epochs", "9"],
        1,
        "of 2 epochs. --continue trains",
    ),
    "no objective": ([*TRAINED, "--objective", "mse:a"], 2, "Received: 'mse:a'"),
    "equal objectives": (
        [*TRAINED, "--objective", "mse:a:b", "--objective", "2*mse:a:b"],
        2,
        "'mse:a:b' and '2*mse:a:b' compare the same taps",
    ),
    "a size for arrays to train with": (
        [*TRAINED, "--image-size", "3x3"],
        1,
        "--image-size is for images that are resized",
    ),
    "a size for arrays": (
        ["export", "a.keras", "--out", "b.tflite", "--data", "b.npz", "--image-size", "3x3"],
        1,
        "--image-size is for images that are resized",
    ),
    "a target for arrays": ([*MEASURED, "b.npz", "--target", "y"], 1, "--target is for tables"),
    "pixels of a table": ([*MEASURED, "b.csv", "--pixels", "0..1"], 1, "--pixels is for images"),
    "a target to compare with": ([*COMPARED, "--target", "y"], 1, "--target is for tables"),
    "no such baseline": ([*COMPARED, "--baseline", "bag"], 1, "Did you mean 'big'?"),
    "no such file as a baseline": ([*COMPARED, "--baseline", "c.keras"], 1, "no file 'c.keras'"),
    "no such name of a source": (
        [*COMPARED, "--source", "x=big"],
        2,
        "--source names 'x', but the models are big",
    ),
    "no such column": (
        [*TRAINED, "--data", "c.csv", "--target", "knd"],
        1,
        "no column 'knd' for the labels. Did you mean 'kind'?",
    ),
    "no weight": ([*TRAINED, "--objective", "nan*mse:a:b"], 2, "at least 0. Received: nan in"),
    "less than no weight": ([*TRAINED, "--objective", "-1*mse:a:b"], 2, "at least 0. Received: -1 in"),
    "equal objectives by other names": (
        [*TRAINED, "--objective", "mse:a:b", "--objective", "MeanSquaredError:a:b"],
        2,
        "'mse:a:b' and 'MeanSquaredError:a:b' compare the same taps",
    ),
    "another shape": (["export", "a.keras", "--out", "b.tflite", "--input-shape", "8,x"], 2, "as 224,224,3"),
    "a folder that cannot be": (
        [*TRAINED, "--out", "b.csv/run"],
        1,
        "'b.csv/run' cannot be made: Not a directory",
    ),
    "logs that cannot be": ([*TRAINED, "--tensorboard", "b.csv"], 1, "Name a folder for the logs"),
    "no such module": (["taps", "a.keras", "--custom-objects", "mine"], 1, "no module 'mine'"),
}


# Answers each case in its folder. To import the command line takes longer than an answer, so that it is done
# once, and each case runs in a fork of the process: it calls what `python -m keras_kd` does.
ANSWER = """
import json, os, sys
folders = json.loads(sys.argv.pop())
sys.argv[0] = "keras-kd"
from keras_kd.cli import app
for folder, words in folders.items():
    if not os.fork():
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"../{name}", os.O_WRONLY | os.O_CREAT), number)
        sys.argv[1:] = words
        try:
            app.main()
        finally:
            with open("../modules", "w") as file:
                print(*sys.modules, file=file)
    _, status = os.wait()
    with open(f"{folder}/../code", "w") as file:
        print(os.waitstatus_to_exitcode(status), file=file)
"""


def fill(folder):
    """Files that exist, and the beginning of a run of two epochs; what is there then."""
    folder.mkdir(parents=True)
    for name in ("a.keras", "a.tflite", "b.npz", "b.csv"):
        (folder / name).touch()
    (folder / "c.csv").write_text("x,kind\n1,rose\n")
    files = UserFiles(folder / "a.keras", folder / "a.keras", folder / "b.npz")
    options = Options(labels=None, seeds=1, files=QUANTIZATIONS, metric=None)
    Run(folder / "old", settings_of_run(files, Hyperparameters(0, 2), options))
    return listed(folder)


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """For each case: what is read of its process, and the files in its folder before and after."""

    def answer(folder):
        places = {name: folder / str(i) / "here" for i, name in enumerate(ANSWERED)}
        before = {name: fill(place) for name, place in places.items()}
        words = json.dumps({str(places[name]): case[0] for name, case in ANSWERED.items()})
        subprocess.run([sys.executable, "-c", ANSWER, words], check=True)
        return {name: (place.parent, before[name], listed(place)) for name, place in places.items()}

    return made_once(tmp_path_factory, "answers", answer)


@pytest.mark.parametrize("name", ANSWERED)
def test_is_answered_without_tensorflow(answers, name):
    (_, code, text), (folder, before, after) = ANSWERED[name], answers[name]
    found = {part: (folder / part).read_text() for part in ("code", "stdout", "stderr", "modules")}
    assert int(found["code"]) == code
    assert text in " ".join([found["stdout"], *found["stderr"].splitlines()])
    assert "loading TensorFlow" not in found["stderr"].splitlines()
    assert "keras_kd.cli.app" in found["modules"].split()
    assert not set(found["modules"].split()) & HEAVY
    assert after == before


def imported(stderr):
    """What `-X importtime` lists, and the rest of standard error."""
    lines = stderr.splitlines()
    times = [line for line in lines if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in times}, [line for line in lines if line not in times]


@pytest.mark.parametrize("name", ["help of a command", "no such model"])
def test_the_module_answers_without_tensorflow(name, tmp_path):
    words, code, text = ANSWERED[name]
    command = [sys.executable, "-X", "importtime", "-m", "keras_kd", *words]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    modules, told = imported(result.stderr)
    assert result.returncode == code
    assert text in " ".join([result.stdout, *told])
    assert "loading TensorFlow" not in told
    assert "keras_kd.cli.app" in modules
    assert not modules & HEAVY


def test_ctrl_c_while_tensorflow_loads_is_one_line(files, tmp_path):
    command = [sys.executable, "-m", "keras_kd", "taps", files / "student.keras"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr.readline() == "loading TensorFlow\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "Interrupted.\n")
    assert process.returncode == 130


LAYER = """
import keras
@keras.saving.register_keras_serializable()
class Zoom(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


def forget_zoom():
    del sys.modules["zoom"], keras.saving.get_custom_objects()["Custom>Zoom"]


@pytest.mark.slow
def test_a_command_that_needs_tensorflow(tmp_path, monkeypatch, printed):
    """A model with a layer of the user's and one of this package; both are registered before it loads."""
    (tmp_path / "zoom.py").write_text(LAYER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    zoom = importlib.import_module("zoom")
    kd.Distiller(keras.Sequential([keras.Input((2,)), zoom.Zoom(), keras.layers.Dense(3)])).save("m.keras")
    forget_zoom()
    del sys.path[0]
    command = [sys.executable, "-m", "keras_kd", "taps", "m.keras", "--custom-objects", "zoom.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stderr == "loading TensorFlow\n"
    assert "zoom" in result.stdout
    # TensorFlow is loaded here, and the layer is not.
    assert run("taps", "m.keras") == 1
    assert "Zoom" in printed()[1]
    assert run("taps", "m.keras", "--custom-objects", "zoom") == 0
    assert "zoom" in printed()[0]
    forget_zoom()


def test_layers_that_are_not_known(tmp_path, printed):
    assert run("taps", tmp_path / "none.keras", "--custom-objects", tmp_path / "none.py") == 1
    assert printed()[1].startswith("Error: There is no ")


def test_modules_of_the_current_folder_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = [*sys.path]
    (tmp_path / "layers_of_mine.py").write_text("")
    assert check_modules(["layers_of_mine", "layers_of_mine.py", "json"])
    assert sys.path == before
    with pytest.raises(ValueError, match="There is no module 'layers_of_none'"):
        check_modules(["layers_of_none"])


def test_a_file_is_not_taken_for_another_module_of_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(FileNotFoundError, match=r"json\.py"):
        check_modules([str(tmp_path / "json.py")])
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "json.py").write_text(
        "import beside, pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()"
    )
    load_library([str(tmp_path / "json.py")])
    assert (tmp_path / "json.ran").exists()
    assert sys.modules["json"].__name__ == "json"
    assert hasattr(sys.modules["json"], "dumps")


def test_what_keras_says_of_every_h5_file_is_kept_off_and_nothing_else(tmp_path, printed, caplog):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "plain.h5")
    model.compile("sgd", keras.losses.MeanSquaredError(), metrics=["mae"])
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    model.save(tmp_path / "compiled.h5")
    load_library()
    caplog.clear()
    for name in ("plain.h5", "compiled.h5"):
        assert run("taps", tmp_path / name) == 0
    logging.getLogger("absl").warning("something that matters")
    assert [record.message for record in caplog.records] == ["something that matters"]
