"""What each layer costs when it is made smaller: a table, a page, JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keras_kd.compression.sensitivity.yardstick import ACCURACY, AGREEMENT
from keras_kd.files import check_writable, write_atomically
from keras_kd.messages import number_of
from keras_kd.reports.heat_map import Cell, HeatMap
from keras_kd.reports.quality import LOWER, in_words, is_error
from keras_kd.results import Result

# Of the layers that are tied to one, a terminal names so many.
_MOST_TIED = 4


@dataclass(frozen=True)
class LayerScore(Result):
    """The score of a model in which one layer was made smaller.

    Args:
        layer: The path of the layer.
        amount: How much of it was kept, or zero.
        score: What the model then scores.
    """

    layer: str
    amount: float
    score: float


@dataclass(frozen=True)
class Sensitivity(Result):
    """The scores of a model with one layer at a time made smaller; returned by `sensitivity`.

    Args:
        model: The name of the model.
        by: How layers were made smaller: `"channels"`, `"rank"`, ...
        means: What an amount is, in words.
        metric: What the score is: `"accuracy"`, `"agreement"` with the original, or the name of a metric.
        baseline: The score of the model as it is.
        rows: The scores, layer by layer.
        samples: On how many rows of data.
        output: The output that was scored.
        tied: For a layer those whose channels were removed with its own.
        recalibrated: Whether BatchNorms had the statistics of the data each time, for the baseline too.
        warnings: What was warned of.

    Examples:
        >>> rows = LayerScore("conv1", 0.5, 0.97), LayerScore("conv1", 0.25, 0.6)
        >>> found = Sensitivity("net", "channels", "the fraction kept", "accuracy", 0.98, rows, 360)
        >>> found.within(0.02)
        {'conv1': 0.5}
        >>> print(found)
        layer    0.5    0.25
        ────────────────────
        conv1   -1.0   -38.0
        <BLANKLINE>
        net: accuracy 98.00 % on 360 samples
        columns: the fraction kept; cells: change of the accuracy in points
    """

    model: str
    by: str
    means: str
    metric: str
    baseline: float
    rows: tuple[LayerScore, ...]
    samples: int
    output: str = ""
    tied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recalibrated: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, in the order of the model."""
        return tuple(dict.fromkeys(row.layer for row in self.rows))

    @property
    def amounts(self) -> tuple[float, ...]:
        """The amounts, in the order in which they were given."""
        return tuple(dict.fromkeys(row.amount for row in self.rows))

    @property
    def less_is_better(self) -> bool:
        """Whether the metric is an error, by its name."""
        return is_error(self.metric)

    def loss(self, row: LayerScore) -> float:
        """How much worse than the baseline a score is; below zero if it is better."""
        change = row.score - self.baseline
        return change if self.less_is_better else -change

    def within(self, loss: float) -> dict[str, float]:
        """For each layer the last of its amounts before the first that loses more.

        As `layers=` of `kd.shrink`, `kd.factorize`, `kd.Prune` or `kd.Cluster`. Together, layers lose more
        than each alone.

        Args:
            loss: In the unit of the score: `0.01` is one point of accuracy.

        Returns:
            The amounts; layers where the first one loses more are missing, or keep all their channels.
        """
        found: dict[str, float] = {}
        for layer in self.layers:
            fits = [1.0] if self.by == "channels" else []
            for row in (row for row in self.rows if row.layer == layer):
                if not self.loss(row) <= loss + 1e-9:
                    break
                fits.append(row.amount)
            if fits:
                found[layer] = fits[-1]
        for layer, others in self.tied.items():
            for other in others:  # with channels of its own as well: what is tied keeps as many as it needs
                if other in found:
                    found[other] = max(found[other], found[layer])
        return found

    def __str__(self) -> str:
        from keras_kd.compression.tables import draw

        rows = [[self._name(layer), *(cell.text for cell in self._cells(layer))] for layer in self.layers]
        table = draw(("layer", *map(_amount, self.amounts)), rows, right=range(1, len(self.amounts) + 1))
        return "\n".join([table, "", *self._sentences(), *self._ties(_MOST_TIED)])

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the result; the suffix decides the format.

        Args:
            path: A file ending in `.html`, a page with a heat map that needs nothing else, or in `.json`.
            overwrite: Whether an existing file may be replaced.

        Returns:
            The path of the file.

        Raises:
            ValueError: For any other suffix.
            OSError: The file exists and may not be replaced, or cannot be written.
        """
        path = Path(path)
        check_writable(path, overwrite=overwrite, suffixes=(".html", ".json"))
        text = self.to_json() + "\n" if path.suffix == ".json" else self._heat_map().page()
        with write_atomically(path) as part:
            part.write_text(text, encoding="utf-8")
        return path

    def _sentences(self) -> list[str]:
        """What was measured, and what the table shows."""
        of = f" of {self.output!r}" if self.output else ""
        data = f"on {number_of(self.samples, 'sample')}{', recalibrated' if self.recalibrated else ''}"
        return [
            f"{self.model}: {self._score}{of} {self._text(self.baseline)} {data}",
            f"columns: {self.means}; cells: change of the {self._score}{self._unit}",
        ]

    @property
    def _is_share(self) -> bool:
        return self.metric in (ACCURACY, AGREEMENT)

    @property
    def _score(self) -> str:
        return "agreement with the original" if self.metric == AGREEMENT else in_words(self.metric)

    @property
    def _unit(self) -> str:
        return " in points" if self._is_share else f" ({LOWER})" if self.less_is_better else ""

    def _text(self, score: float) -> str:
        return f"{100 * score:.2f} %" if self._is_share else f"{score:.5g}"

    def _name(self, layer: str) -> str:
        """A layer, and how many others change with it."""
        others = len(self.tied.get(layer, ()))
        return f"{layer} and {others} tied" if others else layer

    def _ties(self, most: int | None = None) -> list[str]:
        """Which others change with a layer; those past so many are counted."""
        lines = []
        for layer, others in self.tied.items():
            named, left = others[:most], len(others[most:]) if most else 0
            lines.append(f"{layer}: tied to {', '.join(named)}{f' and {left} more' if left else ''}")
        return lines

    def _cells(self, layer: str) -> list[Cell]:
        return [self._cell(row) for row in self.rows if row.layer == layer]

    def _cell(self, row: LayerScore) -> Cell:
        """How a score is shown: as the change from the baseline, darker for a larger loss."""
        change, loss = row.score - self.baseline, self.loss(row)
        tip = f"{self._score} {self._text(row.score)}"
        if not math.isfinite(change):
            return Cell("nan", 1.0, tip)
        worst = max(loss for loss in map(self.loss, self.rows) if math.isfinite(loss))
        # By the root, so that small losses are told apart as well.
        shade = math.sqrt(loss / worst) if loss > 0 else 0.0
        text = f"{100 * change:+.1f}" if self._is_share else f"{change:+.3g}"
        return Cell("0" if change == 0 else text, shade, tip)

    def _heat_map(self) -> HeatMap:
        rows = [(self._name(layer), self._cells(layer)) for layer in self.layers]
        title = f"Sensitivity of {self.model}: {self.by}"
        heads = ["layer", *map(_amount, self.amounts)]
        return HeatMap(title, self._sentences(), heads, rows, self._ties(), self.warnings)


def _amount(amount: float) -> str:
    return f"{amount:g}"
