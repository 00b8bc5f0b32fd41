"""Which model each file was made from."""

import keras
import pytest

import keras_kd as kd
from keras_kd.deployment.tflite import export
from keras_kd.distillation.distiller import Distiller
from keras_kd.reports.sources import find_sources
from keras_kd.reports.subjects import open_subject
from tests.deployment.foreign import rewritten
from tests.reports.conftest import dense


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(5)
    model = dense(8)
    model.name = "small"
    return model


@pytest.fixture(scope="module")
def file(small, tmp_path_factory):
    return export(small, tmp_path_factory.mktemp("small") / "small.tflite").path


def changed(model, name="small"):
    other = keras.models.clone_model(model)
    other.name = name
    return other


def found(given=None, **named):
    return find_sources([open_subject(*item) for item in named.items()], given or {})


def test_a_file_finds_its_model_whatever_the_row_is_called(small, models, file, tmp_path):
    small.save(tmp_path / "m.keras")
    for model in (small, str(tmp_path / "m.keras"), Distiller(small, models[0]), small):
        sources = found(other=models[1], row=model, again=small, file=file)
        assert sources == ({"file": "row"}, {})
    assert found({"file": "again"}, row=small, again=small, file=file).models == {"file": "again"}


def test_models_made_from_one_another_have_one_name_and_their_own_files(models, tmp_path):
    keras.utils.set_random_seed(2)
    small = kd.shrink(models[0], keep=0.5)
    rank = kd.factorize(models[0], rank=2)
    paths = {name: tmp_path / f"{name}.tflite" for name in ("half8", "rank8")}
    for model, path in zip((small, rank), paths.values(), strict=True):
        assert model.name == models[0].name
        export(model, path)
    rank.save(tmp_path / "rank.keras")
    named = {"big": models[0], "half": small, "rank": str(tmp_path / "rank.keras"), **paths}
    assert found(**named) == ({"half8": "half", "rank8": "rank"}, {})


def test_a_file_of_another_tool_has_the_source_that_it_is_given(small, file, tmp_path):
    foreign = rewritten(file, tmp_path / "m.tflite", ["x"], ["y"])
    assert found(small=small, file=foreign) == ({}, {})
    assert found({"file": "small"}, small=small, file=foreign) == ({"file": "small"}, {})


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"small": changed}, "made from 'small' with other weights: export it again"),
        ({"row": changed}, "made from 'small' with other weights than 'row' has: export it again"),
        (
            {"small": lambda small: changed(dense(9))},
            "made from another model of the name 'small', which has other layers and is not among the models "
            "compared",
        ),
        (
            {"a": lambda small: changed(dense(9)), "b": changed},
            "made from 'small' with other weights than 'b' has: export it again",
        ),
        (
            {"big": lambda small: changed(small, "big")},
            "made from 'small', which is not among the models compared",
        ),
        ({}, "made from 'small', which is not among the models compared"),
    ],
    ids=["weights", "row", "layers", "nearest", "unrelated", "alone"],
)
def test_a_file_whose_model_is_not_there_says_what_it_was_made_from(named, said, small, file):
    keras.utils.set_random_seed(9)
    assert found(**{name: make(small) for name, make in named.items()}, file=file) == ({}, {"file": said})


def test_a_source_that_the_file_contradicts_is_an_error(small, file):
    keras.utils.set_random_seed(9)
    with pytest.raises(
        ValueError, match=r"maps 'file' to 'big', but the file was made from 'row'\. Leave this"
    ):
        found({"file": "big"}, big=changed(small, "big"), row=small, file=file)
    with pytest.raises(ValueError, match=r"but the file was made from 'small' with other weights: export it"):
        found({"file": "row"}, row=changed(small), file=file)
    with pytest.raises(ValueError, match=r"made from another model, 'small', which has the same layers"):
        found({"file": "row"}, row=changed(small, "big"), file=file)
