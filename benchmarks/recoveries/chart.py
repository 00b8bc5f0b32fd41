"""The chart of accuracy against time."""

import io
import statistics

from recoveries.rows import by_way, time_of

COLORS = {
    "teacher": "black",
    "by hand": "tab:red",
    "shrunk": "tab:blue",
    "factorized": "tab:green",
    "compacted": "tab:orange",
    "clustered": "tab:purple",
    "both": "tab:brown",
}
MARKS = {"scratch": ("x", "from scratch"), "labels": ("s", "labels alone"), "distilled": ("o", "distilled")}


def family(way):
    first, *more = way.split(", ")
    return "both" if more and more[0][0] in "cf" else first.split(" to ")[0]


def chart(rows, name):
    """Accuracy against time after each recovery, as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    matplotlib.rcParams["svg.hashsalt"] = name
    figure, axes = plt.subplots(figsize=(9, 5.5))
    for way, same in by_way(rows).items():
        at, color = time_of(same), COLORS[family(way)]
        if way == "teacher":
            axes.plot(at, 100 * statistics.mean(r["before"] for r in same), "*", color=color, markersize=12)
        values = {s: 100 * statistics.mean(r[s] for r in same) for s in MARKS if s in same[0]}
        if values:
            axes.vlines(at, min(values.values()), max(values.values()), color, alpha=0.4)
        for stage, value in values.items():
            filled = color if stage != "labels" else "none"
            axes.plot(at, value, MARKS[stage][0], color=color, markerfacecolor=filled)
        top = max(values.values(), default=100 * same[0].get("before", 0))
        axes.annotate(
            way, (at, top), (3, 5), textcoords="offset points", fontsize=7, color=color, rotation=20
        )
    for mark, label in MARKS.values():
        axes.plot([], [], mark, color="gray", markerfacecolor="none" if mark == "s" else "gray", label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.xaxis.set_minor_formatter(lambda x, _: "")
    axes.set_xlabel("time of the float32 file, divided by the teacher's")
    axes.set_ylabel("test accuracy (%)")
    axes.legend(loc="lower right")
    axes.margins(x=0.12, y=0.12)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return buffer.getvalue()
