"""What a report concludes: whether something helped, and which file to ship."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from keras_kd.reports.paired_test import PairedTest
from keras_kd.results import Result

Effect: TypeAlias = Literal["helped", "inconclusive", "hurt"]


@dataclass(frozen=True)
class Verdict(Result):
    """Whether a way to train gave a better model than another one, on the same test samples.

    Args:
        effect: `"helped"`, `"inconclusive"` or `"hurt"`.
        text: The sentence that says so, with its figures.
        difference: The mean score of the first model minus that of the second; of the accuracy, 0 to 1.
        low: The lower end of its interval at 95 %.
        high: The upper end.
        p: How likely such a difference is between models that are equally good.
        method: The name of the test.
        nothing_to_ship: Why not even the better model is worth shipping, if that is so.

    Examples:
        >>> from keras_kd.reports.verdict import Verdict
        >>> Verdict("helped", "It helped: ...", 0.03, 0.02, 0.04, 0.001, "exact McNemar test").effect
        'helped'
    """

    effect: Effect
    text: str
    difference: float
    low: float
    high: float
    p: float
    method: str
    nothing_to_ship: str = ""

    @classmethod
    def of_test(cls, test: PairedTest, text: str) -> "Verdict":
        """The verdict of a test, in the words of the caller."""
        effects: dict[str, Effect] = {"better": "helped", "inconclusive": "inconclusive", "worse": "hurt"}
        return cls(effects[test.outcome], text, test.difference, test.low, test.high, test.p, test.method)


@dataclass(frozen=True)
class Choice(Result):
    """The file to ship.

    Args:
        name: The name of its row.
        why: One sentence: by which rule it was chosen.

    Examples:
        >>> from keras_kd.reports.verdict import Choice
        >>> Choice("int8", "The smallest file that loses no accuracy.").name
        'int8'
    """

    name: str
    why: str


@dataclass(frozen=True)
class ClassFigures(Result):
    """How well the models recognize one class.

    Args:
        label: The name of the class, or its number.
        samples: How many test samples are of that class.
        accuracies: Name of a row -> the fraction of these samples that it recognizes, 0 to 1.

    Examples:
        >>> from keras_kd.reports.verdict import ClassFigures
        >>> ClassFigures("7", 36, {"teacher": 0.97}).samples
        36
    """

    label: str
    samples: int
    accuracies: dict[str, float]


@dataclass(frozen=True)
class Confusion(Result):
    """Samples of one class that a model takes for another.

    Args:
        name: The name of the row.
        label: The class that they are of.
        answer: The class that the model answers.
        samples: How many.

    Examples:
        >>> from keras_kd.reports.verdict import Confusion
        >>> Confusion("int8", "8", "1", 3).samples
        3
    """

    name: str
    label: str
    answer: str
    samples: int
