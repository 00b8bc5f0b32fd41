"""Parts that are labelled by the workers of Ray Data."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_kd.messages import one_line
from keras_kd.teachers.taught.bulk import Bulk

if TYPE_CHECKING:
    import ray


class Labeller:
    """Labels parts in a worker, which holds one teacher.

    Args:
        bulk: What is labelled, in Ray's object store.
    """

    def __init__(self, bulk: "ray.ObjectRef[Bulk]") -> None:
        import ray

        self._bulk = ray.get(bulk)
        self._answer = self._bulk.answer()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[int]]:
        """Label the parts of these numbers."""
        return {"samples": [self._bulk.label(int(number), self._answer) for number in batch["part"]]}


def label_on_ray(bulk: Bulk, numbers: Sequence[int], workers: int | None) -> Iterator[int]:
    """Label parts on a cluster of Ray; the number of samples of each, as they are finished.

    Ray starts a worker again that dies, and gives its part to another one. The cluster is the one that the
    process is connected to, or that `RAY_ADDRESS` names, or else one that `ray.init()` starts here.

    Args:
        bulk: What is labelled.
        numbers: The parts.
        workers: How many; by default one for each GPU of the cluster, or for each of its machines.

    Raises:
        TypeError: The teacher, the data or a function cannot be sent to workers.
    """
    import ray
    import ray.data

    if not ray.is_initialized():
        ray.init()
    gpus = int(ray.cluster_resources().get("GPU", 0))
    count = min(workers or gpus or len(ray.nodes()), len(numbers))
    resources: dict[str, Any] = {"num_gpus": 1} if gpus >= count else {"num_cpus": 1}
    done = ray.data.from_items(
        [{"part": number} for number in numbers], override_num_blocks=len(numbers)
    ).map_batches(
        Labeller,
        batch_size=1,
        fn_constructor_args=(_sent(bulk, ray.put),),
        compute=ray.data.ActorPoolStrategy(size=count),
        **resources,
    )
    for row in done.iter_rows():
        yield int(row["samples"])


def _sent(bulk: Bulk, put: Callable[[Bulk], Any]) -> Any:
    try:
        return put(bulk)
    except Exception as error:  # whatever a part of it raises when it is pickled
        raise TypeError(
            "Ray cannot send the teacher, the data or one of the functions to its workers: "
            f"{one_line(error).rstrip('.')}. Data may be arrays, samples with an index, a PyDataset, a name "
            "or a list of functions, but no tf.data.Dataset; functions must not hold one either."
        ) from error
