"""What was found, in Markdown."""

import statistics

from payoffs.plan import best_alone, gain


def markdown(titles, rows):
    lines = [titles, ["---", *["--:"] * (len(titles) - 1)], *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def teachers(kept):
    """A row for each network of the teacher, and one for their average."""
    accuracies = {name: each for name, each in kept.items() if name != "seconds"}
    rows = [(name, *(f"{100 * value:.2f}" for value in each.values())) for name, each in accuracies.items()]
    return markdown(("network", *next(iter(accuracies.values()))), rows)


def tried(found, parameters):
    """A row for each distilled student whose counterpart alone is there, too: accuracy on validation data."""
    titles = ("student", "parameters", "recipe", "epochs", "teaching", "alone", "distilled")
    titles += ("distilled - alone", "distilled - best alone")
    rows = []
    for trial, accuracy in found.items():
        if trial.teaching and trial.alone in found:
            known = found[trial.alone]
            differences = [f"{100 * each:+.2f}" for each in (accuracy - known, gain(found, trial))]
            figures = (f"{100 * each:.2f}" for each in (known, accuracy))
            size = f"{parameters[trial.student]:,}"
            rows.append(
                (trial.student, size, trial.recipe, trial.epochs, trial.teaching, *figures, *differences)
            )
    return markdown(titles, rows)


def tested(values, found):
    """The winner and what it is compared with, on test data: mean and standard deviation over seeds.

    Args:
        values: `{trial: accuracies by seed}`, the winner first.
        found: The accuracies on validation data.
    """
    first, *_ = values
    best, rows = best_alone(found, first.student), []
    for trial, accuracies in values.items():
        what = str(trial.teaching) if trial.teaching else "alone"
        what += ", best" if trial == best else ""
        pairs = [a - b for a, b in zip(values[first], accuracies, strict=True)]
        difference = "" if trial == first else with_spread(pairs, len(pairs) ** 0.5, "+")
        rows.append(
            (trial.student, trial.recipe, trial.epochs, what, with_spread(accuracies, 1, ""), difference)
        )
    titles = ("student", "recipe", "epochs", "teaching", "test accuracy ± standard deviation")
    return markdown((*titles, "winner - this one ± standard error"), rows)


def with_spread(values, divisor, sign):
    """Mean and standard deviation in percent, the latter divided by a number; the mean alone of one value."""
    mean = f"{100 * statistics.mean(values):{sign}.2f}"
    return f"{mean} ± {100 * statistics.stdev(values) / divisor:.2f}" if len(values) > 1 else mean
