"""Batches that were trained on before an interruption: read from the data again, but not trained on."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_kd.tensors import Tensors
from keras_kd.training.train_function import TrainFunction, intercept, remove


class SkippedBatches:
    """Intercepts a model's train function until the point of interruption is reached.

    Args:
        model: A model whose `fit` is about to run its first epoch.
        earlier: How many batches earlier epochs took from the same iterator: callbacks do not see them.
        skipped: How many batches of this epoch were trained on: callbacks see them begin and end.
        begin: Called with the first batch, before it is skipped.
        end: Called after the last batch was skipped.
    """

    def __init__(
        self,
        model: keras.Model,
        earlier: int,
        skipped: int,
        begin: Callable[[Tensors], None],
        end: Callable[[], None],
    ) -> None:
        self._model, self._history = model, model.history
        self._earlier, self._skipped, self._begin, self._end = earlier, skipped, begin, end
        self._seen = 0
        self.active = skipped > 0
        self._interception = intercept(model, self._run) if earlier or skipped else None

    def _run(self, iterator: Iterator[Any], train: TrainFunction) -> Any:
        # A `fit` that was interrupted while skipping leaves this interception for the next one.
        abandoned = self._model.history is not self._history
        while self._earlier and not abandoned:
            next(iterator)
            self._earlier -= 1
        if abandoned or not self.active:
            remove(self._model, self._interception)
            return train(iterator)
        logs = self._skip(iterator)
        if not self.active:
            remove(self._model, self._interception)
        return logs

    def _skip(self, iterator: Iterator[Any]) -> dict[str, Any]:
        together = self._model.steps_per_execution
        taken = [batch for _, batch in zip(range(together), iterator, strict=False)]
        if not taken:
            raise StopIteration
        if self._seen == 0:
            self._begin(taken[0])
        self._seen += len(taken)
        if self._seen >= self._skipped or len(taken) < together:
            self._end()
            self.active = False
        return self._model.get_metrics_result()
