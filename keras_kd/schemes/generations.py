"""Generations: students that learn from one another, one after the other, and survive a kill."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras

from keras_kd.distillation.distiller import Distiller
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.files import write_atomically
from keras_kd.legacy import require_keras_model
from keras_kd.model_files import load_model
from keras_kd.training.full_state import FullState

Make: TypeAlias = Callable[[], keras.Model]
Compile: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


def train_generations(
    make: Make | Sequence[Make],
    data: Any,
    folder: str | Path,
    *,
    compile: Compile,
    generations: int | None = None,
    teacher: keras.Model | None = None,
    objectives: Callable[[], Sequence[Objective | LossLike]] | None = None,
    distiller: Mapping[str, Any] | None = None,
    seed: int | None = None,
    **fit: Any,
) -> list[keras.Model]:
    """Train models one after the other, each with the one before it as its teacher.

    With one function `make` these are born-again generations: the same network learns from the last one, and
    `kd.ensemble` of them is often better than each. With a list of functions, of falling size, it is a chain
    of teacher assistants: big, middle, small. Without a `teacher` the first one learns the labels alone.

    Each model is saved in the folder when it is done (`generation_1.keras`), and the one in training keeps
    its full state there (`kd.FullState`). Called again with the same arguments after a kill, the function
    loads what is finished and goes on where it was interrupted. Delete the folder to start anew. With a
    `seed` the result is that of a run that was never interrupted.

    Source: Furlanello et al. 2018, "Born-Again Neural Networks", arXiv 1805.04770. Mirzadeh et al. 2020,
    "Improved Knowledge Distillation via Teacher Assistant", arXiv 1902.03393.

    Args:
        make: Makes a new model, or a list of such functions, the first for the first generation.
        data: What `fit` takes as `x`: a data set; or arrays `(x, y)` or `(x, y, sample_weight)`.
        folder: Where models are kept; it is created.
        compile: Arguments of `compile`: `{"optimizer": "adam", "loss": ...}`, names or objects, of which
            every generation gets its own; or a function that returns them.
        generations: How many, 3 by default; with a list of functions, as many as it has.
        teacher: Teaches the first generation.
        objectives: Makes the objectives of a generation. Default: the blend of `kd.Distiller`.
        distiller: More arguments of `kd.Distiller`, such as `{"temperature": 1.0, "alpha": 0.5}`.
        seed: Generation `i` begins with `keras.utils.set_random_seed(seed + i)`, which is a global state.
        **fit: Arguments of `fit`: `epochs`, `validation_data`, `callbacks`, ...

    Returns:
        The models, in order.

    Raises:
        ValueError: The folder holds another model than `make` makes, or lacks an earlier one; no generation.
        OSError: A file cannot be written, or is damaged.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> def student():
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> data = np.random.rand(32, 4), np.random.randint(0, 3, 32)
        >>> options = {"compile": {"optimizer": "adam", "loss": hard}, "generations": 2, "verbose": 0}
        >>> models = kd.train_generations(student, data, "born_again", **options)
        >>> len(models)
        2
    """
    makes, folder = _functions(make, generations), Path(folder)
    paths = [folder / f"generation_{number}.keras" for number in range(1, len(makes) + 1)]
    _check_folder(folder, paths)
    train = functools.partial(_train, data=data, compile=compile, fit=fit)
    found: list[keras.Model] = []
    for number, (make_one, path) in enumerate(zip(makes, paths, strict=True), 1):
        if seed is not None:
            keras.utils.set_random_seed(seed + number)
        model = make_one()
        require_keras_model(model, "student")
        if path.exists():
            found.append(_load(path, model))
            continue
        learns_from = found[-1] if found else teacher
        train(_with_teacher(model, learns_from, objectives and objectives(), distiller or {}), path=path)
        found.append(model)
    return found


def _functions(make: Make | Sequence[Make], generations: int | None) -> list[Make]:
    makes = [make] * (3 if generations is None else generations) if callable(make) else list(make)
    if not makes or (generations is not None and len(makes) != generations) or not all(map(callable, makes)):
        raise ValueError(
            "`make` is a function that makes a model, or a list of one for each generation, of which there "
            f"is at least one. Received: make={make!r}, generations={generations!r}."
        )
    return makes


def _check_folder(folder: Path, paths: Sequence[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = [path.exists() for path in paths]
    if sorted(done, reverse=True) != done:
        raise ValueError(
            f"{folder} holds {paths[done.index(True, done.index(False))].name}, and not "
            f"{paths[done.index(False)].name}, which came before. Delete it, or choose another folder."
        )


def _with_teacher(
    model: keras.Model,
    teacher: keras.Model | None,
    objectives: Sequence[Objective | LossLike] | None,
    distiller: Mapping[str, Any],
) -> keras.Model:
    return model if teacher is None else Distiller(model, teacher, objectives, **distiller)


def _train(model: keras.Model, *, data: Any, compile: Compile, fit: Mapping[str, Any], path: Path) -> None:
    """Train a model, or the student of a Distiller, and save it."""
    state = path.with_suffix(".state.npz")
    model.compile(
        **{name: _own(value) for name, value in (compile() if callable(compile) else compile).items()}
    )
    arguments = dict(fit)
    others = arguments.pop("callbacks", None) or []
    others = list(others) if isinstance(others, (list, tuple)) else [others]
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    of_state = FullState(state, delete_checkpoint=False, callbacks=others, data=x)
    given = {"x": x, "y": y, "sample_weight": sample_weight}
    model.fit(**{k: v for k, v in given.items() if v is not None}, callbacks=[of_state, *others], **arguments)
    with write_atomically(path) as part:
        (model.student if isinstance(model, Distiller) else model).save(part)
    state.unlink(missing_ok=True)


def _own(value: Any) -> Any:
    """An optimizer or metric of its own, for each generation."""
    if isinstance(value, (list, tuple)):
        return [_own(each) for each in value]
    if isinstance(value, dict):
        return {key: _own(each) for key, each in value.items()}
    if isinstance(value, (keras.optimizers.Optimizer, keras.metrics.Metric)):
        return type(value).from_config(value.get_config())
    return value


def _load(path: Path, like: keras.Model) -> keras.Model:
    model = load_model(path, compile=False)
    saved, expected = ([tuple(weight.shape) for weight in each.weights] for each in (model, like))
    if saved != expected:
        raise ValueError(
            f"{path} holds another model than `make` makes: the shapes of its {len(saved)} weights are not "
            f"those of {like.name!r}, which has {len(expected)}. Choose another folder, or delete this one."
        )
    return model
