"""Whether someone who answers with classes knows more than whoever always answers the most frequent one."""

from scipy import stats

# Probability below which a figure is no chance.
LEVEL = 0.01
# What counts as knowing something: a share of what guessing gets wrong, or as many again as it gets right.
_LEAD, _RATIO = 0.1, 2.0


def is_hardly_better(right: int, samples: int, guessed: float) -> bool:
    """Whether right answers are so few that, at a level of 1 %, it is no bad luck of someone who knows more.

    Args:
        right: How many answers are right.
        samples: Of how many.
        guessed: The share that is right by always answering the most frequent class.

    Examples:
        >>> is_hardly_better(160, 1000, 0.1), is_hardly_better(16, 100, 0.1), is_hardly_better(250, 1000, 0.1)
        (True, False, False)
    """
    if not guessed:
        return False  # no sample is of that class
    bar = min(guessed + _LEAD * (1 - guessed), _RATIO * guessed)
    return bool(stats.binomtest(right, samples, bar, alternative="less").pvalue < LEVEL)
