"""Pictures of what dense and box predictors say, side by side."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.patches import Rectangle

COLORS = np.array(pyplot.get_cmap("tab10").colors)


def side_by_side(path: Path, columns: dict[str, Callable], rows: int) -> None:
    """A grid: under each title what its function draws, called with axes and the number of the row."""
    figure, grid = pyplot.subplots(
        rows, len(columns), figsize=(1.5 * len(columns), 1.5 * rows), squeeze=False
    )
    for row, line in enumerate(grid):
        for axes, (title, draw) in zip(line, columns.items(), strict=True):
            draw(axes, row)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(title, fontsize=9)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_classes(axes: pyplot.Axes, classes: np.ndarray) -> None:
    """A map of classes, of which 0 is the background."""
    axes.imshow(np.concatenate([[[0.93, 0.93, 0.93]], COLORS])[classes], interpolation="nearest")


def draw_boxes(axes: pyplot.Axes, image: np.ndarray, boxes: np.ndarray) -> None:
    """A picture, and on it boxes `(things, 5)`: class, left, top, right, bottom."""
    axes.imshow(image)
    for kind, left, top, right, bottom in boxes:
        corner, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
        axes.add_patch(Rectangle(corner, *size, fill=False, linewidth=1.5, edgecolor=COLORS[int(kind)]))
