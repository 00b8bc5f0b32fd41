"""Boxes of a detector without anchors: what it is to say, what it said, and how good that is.

Places near the center of a thing are responsible for it (Tian and others 2019, arXiv 1904.01355).
"""

import contextlib
import io

import numpy as np

STEP, BINS, NEAR = 4, 13, 1.5


def centers(grid: int) -> np.ndarray:
    """`(grid, grid, 2)`: where each place is, from left and from above."""
    at = (np.arange(grid) + 0.5) * STEP
    return np.stack(np.meshgrid(at, at), -1)


def targets(boxes: list[np.ndarray], grid: int, classes: int) -> dict[str, np.ndarray]:
    """What a detector is to say of pictures: of each class 1 or 0, and distances, -1 where there are none."""
    made = {"classes": np.zeros((len(boxes), grid, grid, classes), "float32")}
    made["sides"] = np.full((len(boxes), grid, grid, 4), -1, "float32")
    places = centers(grid)
    for scores, sides, of_image in zip(made["classes"], made["sides"], boxes, strict=True):
        for kind, *box in of_image:
            corners = np.array(box).reshape(2, 2)
            distances = np.concatenate([places - corners[0], corners[1] - places], -1) / STEP
            near = np.abs(places - corners.mean(0)).max(-1) < NEAR * STEP
            chosen = near & (distances.min(-1) > 0)
            scores[chosen], sides[chosen] = np.eye(classes)[kind], distances[chosen]
    return made


def padded(boxes: list[np.ndarray], most: int) -> np.ndarray:
    """All boxes as one array `(pictures, most, 5)`: class -1 where there are fewer."""
    return np.stack([np.pad(each, ((0, most - len(each)), (0, 0)), constant_values=-1) for each in boxes])


def found_boxes(outputs: np.ndarray, classes: int, most: int = 20, overlap: float = 0.6) -> list[np.ndarray]:
    """Of each picture `(things, 6)`: class, left, top, right, bottom, score; the best first, no doubles.

    Args:
        outputs: `(pictures, grid, grid, classes + 4 * BINS)`.
    """
    scores = 1 / (1 + np.exp(-outputs[..., :classes]))
    sides = np.exp(outputs[..., classes:].reshape(*outputs.shape[:3], 4, BINS))
    sides = STEP * np.sum(sides * np.arange(BINS), -1) / np.sum(sides, -1)
    places = centers(outputs.shape[1])
    boxes = np.concatenate([places - sides[..., :2], places + sides[..., 2:]], -1)
    size = outputs.shape[1] * STEP
    return [
        without_doubles(*each, most, overlap) for each in zip(scores, np.clip(boxes, 0, size), strict=True)
    ]


def without_doubles(scores: np.ndarray, boxes: np.ndarray, most: int, overlap: float) -> np.ndarray:
    """Non-maximum suppression, class by class."""
    kept: list[np.ndarray] = []
    for at in np.argsort(-scores, None)[: 5 * most]:
        row, column, kind = np.unravel_index(at, scores.shape)
        candidate = np.array([kind, *boxes[row, column], scores[row, column, kind]])
        if all(other[0] != kind or iou(candidate, other) < overlap for other in kept):
            kept.append(candidate)
    return np.array(kept[:most])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    inner = np.prod(np.maximum(np.minimum(a[3:5], b[3:5]) - np.maximum(a[1:3], b[1:3]), 0))
    return inner / max(np.prod(a[3:5] - a[1:3]) + np.prod(b[3:5] - b[1:3]) - inner, 1e-6)


def mean_average_precision(truth: np.ndarray, found: list[np.ndarray], classes: int) -> tuple[float, float]:
    """COCO's mAP at IoU 0.5, and its mean over IoU 0.5 to 0.95.

    Args:
        truth: `(pictures, most, 5)`: class, left, top, right, bottom; class -1 where there are fewer.
        found: Of each picture `(things, 6)`.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise SystemExit("mAP is computed by pycocotools: pip install 'keras-kd[detection]'.") from None
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        numbered = [(i, *box) for i, boxes in enumerate(truth) for box in boxes.tolist() if box[0] >= 0]
        coco.dataset = {
            "images": [{"id": i} for i in range(len(truth))],
            "categories": [{"id": i} for i in range(classes)],
            "annotations": [annotation(i + 1, *each) for i, each in enumerate(numbered)],
        }
        coco.createIndex()
        rows = [
            (i, *box[1:3], *(box[3:5] - box[1:3]), box[5], box[0]) for i, of in enumerate(found) for box in of
        ]
        evaluation = COCOeval(coco, coco.loadRes(np.array(rows)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def annotation(
    number: int, image: int, kind: int, left: float, top: float, right: float, bottom: float
) -> dict:
    box = [left, top, right - left, bottom - top]
    made = {"id": number, "image_id": image, "category_id": int(kind), "bbox": box}
    return {**made, "area": box[2] * box[3], "iscrowd": 0}
