"""Draw the pictures of the guides: what a temperature does, what is tapped, where the bytes of a file go.

    python docs/source/pictures.py [--check] [--measure RUN]

`--measure` reads the figures from a folder that `keras-kd demo` wrote, and keeps them in pictures.json.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from file_parts import PARTS, parts  # noqa: E402
from generated import parser, save  # noqa: E402

FIGURES = HERE / "pictures.json"
TEMPERATURES = [1, 2, 4, 8]
SURE = 0.99  # of its first class: a digit that a label says all about, or so it seems
KINDS = ["float32", "int8"]
WIDTH = 480  # of each picture, in pixels: text of 14 is still read on a phone

STYLE = """<style>
.NAME text { fill: currentColor; font: 14px/1 system-ui, sans-serif; text-anchor: middle; }
.NAME .start { text-anchor: start; }
.NAME .end { text-anchor: end; }
.NAME .strong { font-weight: 700; }
.NAME rect, .NAME path { fill: none; stroke: currentColor; stroke-width: 1.3; }
.NAME .full { fill: var(--md-typeset-a-color, teal); stroke: none; }
.NAME .plain { fill: currentColor; stroke: none; }
.NAME .faint { fill: currentColor; fill-opacity: 0.07; }
.NAME .dashed { stroke-dasharray: 4 3; }
</style>"""


def measure(run):
    """What the pictures show of a run: a digit with the teacher's logits, and the parts of two files."""
    import keras

    import keras_kd as kd

    x, y, _ = kd.datasets.digits().arrays["test"]
    logits = keras.models.load_model(run / "teacher.keras").predict(x, verbose=0)
    row = telling(logits, y)
    files = {kind: parts(run / f"student-{kind}.tflite") for kind in KINDS}
    return {
        "label": int(y[row]),
        "pixels": [[round(float(pixel), 4) for pixel in line] for line in x[row, :, :, 0]],
        "logits": [round(float(value), 4) for value in logits[row]],
        "files": files,
    }


def softmax(logits, temperature):
    """Hinton's probabilities."""
    powers = np.exp((logits - np.max(logits, axis=-1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def telling(logits, labels):
    """The sample, of those that the teacher is right and sure about, that looks most like one other class."""
    first, second = softmax(logits, 1), np.sort(softmax(logits, 4))[:, -2]
    known = (first.argmax(-1) == labels) & (first.max(-1) >= SURE)
    return int(np.where(known, second, 0).argmax())


def picture(name, title, text, height, marks):
    """A picture that takes the colors of the page, with its description."""
    return "\n".join([
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" style="max-width: 100%; height: auto" '
        f'role="img" aria-labelledby="{name}-title {name}-text" xmlns="http://www.w3.org/2000/svg">',
        f'<title id="{name}-title">{title}</title>',
        f'<desc id="{name}-text">{text}</desc>',
        STYLE.replace("NAME", name),
        f'<g class="{name}">',
        *marks,
        "</g>",
        "</svg>",
        "",
    ])  # fmt: skip


def label(x, y, text, kind=""):
    """A line of text."""
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:g}" y="{y:g}">{text}</text>'


def box(x, y, width, height, kind, more=""):
    """A rectangle."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{more}/>'


def temperature(figures):
    """A digit, and what its teacher says of it at each temperature."""
    logits, known = np.array(figures["logits"]), figures["label"]
    marks = [*digit(figures["pixels"], 4, 34, 12), label(52, 20, f"a {known}", "strong")]
    for row, degree in enumerate(TEMPERATURES):
        marks += bars(softmax(logits, degree), f"T = {degree}", 20 + 84 * row, known)
    text = (
        f"A handwritten {known}, and the percents that a teacher gives the ten classes at four temperatures. "
        f"At 1 nearly all is on the {known}; at 8 the other classes have their shares."
    )
    return picture("temperature", "What a temperature does", text, 346, marks)


def digit(pixels, left, top, size):
    """An image, a square for each pixel."""
    marks = [
        box(left + size * x, top + size * y, size, size, "plain", f' opacity="{value:.2f}"')
        for y, line in enumerate(pixels)
        for x, value in enumerate(line)
        if value
    ]
    return [*marks, box(left, top, size * len(pixels[0]), size * len(pixels), "")]


def bars(shares, name, top, known):
    """The shares of the classes as bars, with percents from 1 on."""
    left, pitch, high = 160, 32, 42
    marks = [label(left - 12, top + 48, name, "end strong")]
    for number, share in enumerate(shares):
        x, height = left + pitch * number, max(high * share, 0.5)
        marks.append(box(x + 4, top + 52 - height, 24, height, "full" if number == known else "plain"))
        marks.append(label(x + 16, top + 68, str(number)))
        if round(100 * share):
            marks.append(label(x + 16, top + 47 - height, f"{100 * share:.0f}"))
    return marks


def taps(shapes):
    """Two stacks of layers, and the two objectives of the tutorial between them."""
    teacher, student = shapes
    marks = [label(70, 20, "teacher", "strong"), label(410, 20, "student", "strong")]
    for row, name in enumerate(teacher):
        y = 34 + 72 * row
        for x, shape in ((5, teacher[name]), (345, student[name])):
            marks += [box(x, y, 130, 42, "faint", ' rx="6"'), label(x + 65, y + 18, name, "strong")]
            marks.append(label(x + 65, y + 34, shape))
            marks += arrow(x + 65, y + 42, 30, "down") if row < len(teacher) - 1 else []
    rows = list(teacher)
    marks += objective(34 + 72 * rows.index("stage2"), ['"mse"', "× weight"], "project=True")
    marks += objective(34 + 72 * rows.index("logits"), ["SoftTargets", "× weight"], "")
    bottom = 34 + 72 * len(rows)
    marks.append(label(240, bottom + 4, "both are added to the loss on the labels;"))
    marks.append(label(240, bottom + 24, "the student and the projection learn from the sum"))
    text = (
        "Two stacks of layers. The output of the teacher's stage2 goes to a loss, and so does that of the "
        "student's, through a projection to the teacher's channels. The logits of both go to SoftTargets."
    )
    return picture("taps", "What is tapped", text, bottom + 34, marks)


def objective(y, lines, projection):
    """What compares a layer of the teacher with one of the student, which may be projected first."""
    marks = [box(162, y, 96 if projection else 156, 42, "", ' rx="21"')]
    middle = 210 if projection else 240
    marks += [label(middle, y + 18, lines[0], "strong"), label(middle, y + 34, lines[1])]
    marks += arrow(135, y + 21, 27, "right")
    if not projection:
        return marks + arrow(345, y + 21, 27, "left")
    marks += [box(276, y + 7, 51, 28, "dashed", ' rx="4"'), label(301, y + 25, "1×1")]
    marks.append(label(301, y - 2, projection))
    return marks + arrow(345, y + 21, 18, "left") + arrow(276, y + 21, 18, "left")


def arrow(x, y, length, to):
    """A straight arrow."""
    turn = {"down": 90, "right": 0, "left": 180}[to]
    line = f'<path d="M0 0H{length}"/><path class="plain" d="M{length} 0l-9 -5v10z"/>'
    return [f'<g transform="translate({x} {y}) rotate({turn})">{line}</g>']


def shapes():
    """The shapes of what the teacher and the student of the digits compute, by layer."""
    import keras_kd as kd

    names = ["image", "stage1", "stage2", "stage3", "logits"]
    models = kd.models.digits_teacher(), kd.models.digits_student()
    return [
        {name: "×".join(map(str, model.get_layer(name).output.shape[1:])) for name in names}
        for model in models
    ]


def size(files):
    """The parts of files as bars, and their bytes."""
    largest = max(sum(parts.values()) for parts in files.values())
    marks = []
    for row, (kind, found) in enumerate(files.items()):
        marks += [label(0, 52 * row + 14, f"{kind}: {sum(found.values()):,} bytes", "start strong")]
        left = 1.0
        for part, count in found.items():
            width = count * (WIDTH - 2) / largest
            marks.append(box(left, 52 * row + 21, width, 24, *fill(part)))
            left += width
    top = 52 * len(files) + 24
    marks += [label(390, top, KINDS[0], "end strong"), label(470, top, KINDS[1], "end strong")]
    for row, part in enumerate(PARTS):
        y = top + 24 * (row + 1)
        marks += [box(1, y - 12, 16, 16, *fill(part)), label(28, y, part, "start")]
        marks += [
            label(x, y, f"{files[kind][part]:,}", "end") for x, kind in ((390, "float32"), (470, "int8"))
        ]
    text = "; ".join(
        f"{kind}: " + ", ".join(f"{part} {count:,}" for part, count in found.items())
        for kind, found in files.items()
    )
    return picture(
        "bytes", "Where the bytes of a file go", f"Bytes of the student. {text}.", top + 24 * 7, marks
    )


def fill(part):
    """The look of a part: weights in the color of links, the rest in that of text."""
    place = list(PARTS).index(part)
    if place < len(PARTS) - 2:
        return "full", f' fill-opacity="{0.4 + 0.2 * place:.1f}"'
    return "plain", f' fill-opacity="{0.35 if place == len(PARTS) - 2 else 0.8}"'


def main():
    """Draw, or say whether the pictures are up to date."""
    arguments = parser(__doc__)
    arguments.add_argument("--measure", type=Path, metavar="RUN", help="a folder that keras-kd demo wrote")
    arguments = arguments.parse_args()
    if arguments.measure:
        FIGURES.write_text(json.dumps(measure(arguments.measure)) + "\n")
    figures = json.loads(FIGURES.read_text())
    drawn = {"temperature": temperature(figures), "taps": taps(shapes()), "bytes": size(figures["files"])}
    save({HERE.parent / f"{name}.svg": text for name, text in drawn.items()}, __file__, arguments.check)


if __name__ == "__main__":
    main()
