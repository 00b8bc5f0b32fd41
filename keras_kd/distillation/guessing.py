"""Whether answers with classes have to do with the labels, or are hardly better than guesses."""

import numpy as np
from scipy import stats

# Probability below which a figure is no chance.
LEVEL = 0.01
# Of what there is to know: so little is next to nothing, and who knows this much must not be blamed.
_NOTHING, _SOMETHING = 0.1, 0.2


def are_hardly_related(right: int, labels: np.ndarray, answers: np.ndarray) -> bool:
    """Whether answers agree with the labels hardly more than guesses, and enough of them to say so.

    Guesses that are as often of each class are right for some samples, too. What is right beyond that is
    measured as a share of what could be, as Cohen's kappa and Peirce's skill score do: 0 for guesses and for
    one and the same answer, 1 if all is right. Unlike accuracy, it does not blame a teacher that was trained
    to find rare classes. Of both the larger one counts, as each is small for some who know rare classes.

    Args:
        right: How many answers are the label.
        labels: How often each class is the label.
        answers: How often each class is the answer, for the same samples.

    Returns:
        `True` if the measure is below 0.1, and if who reaches 0.2 has so few right at most once in a hundred
        times. `False` if all labels are of one class, as nothing relates to those.

    Examples:
        >>> even, weighted = np.array([500, 500]), np.array([740, 260])
        >>> are_hardly_related(510, even, even), are_hardly_related(5, even // 100, even // 100)
        (True, False)
        >>> are_hardly_related(800, np.array([900, 100]), weighted)  # 900 by always answering class 0
        False
    """
    samples = labels.sum()
    if labels.max(initial=0) == samples:
        return False
    of_labels, of_answers = labels / samples, answers / samples
    guessed = of_labels @ of_answers
    possible = 1 - max(guessed, of_labels @ of_labels)
    if right / samples >= guessed + _NOTHING * possible:
        return False
    bar = guessed + _SOMETHING * possible
    return bool(stats.binomtest(right, int(samples), bar, alternative="less").pvalue < LEVEL)
