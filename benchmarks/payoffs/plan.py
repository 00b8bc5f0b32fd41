"""What is trained, in what order, and what is chosen of it on validation data."""

from typing import NamedTuple

RECIPES = ("shifts", "mixup", "plain")


class Teaching(NamedTuple):
    """The arguments of a Distiller."""

    temperature: float
    alpha: float

    def __str__(self):
        return f"T {self.temperature:g}, alpha {self.alpha:g}"


# Function matching (arXiv 2106.05237) asks for no labels.
USUAL = {"plain": Teaching(2, 0.1), "shifts": Teaching(2, 0.1), "mixup": Teaching(2, 0)}
OTHERS = (Teaching(1, 0.1), Teaching(4, 0.1), Teaching(2, 0.5), Teaching(2, 0), Teaching(2, 0.1))


class Trial(NamedTuple):
    """One training of a student; `teaching` is `None` for the student alone."""

    student: str
    recipe: str
    epochs: int
    teaching: Teaching | None = None
    seed: int = 0

    def __str__(self):
        taught = self.teaching or "alone"
        return f"{self.student}, {self.recipe}, {self.epochs} epochs, {taught}, seed {self.seed}"

    @property
    def file(self):
        return f"{str(self).replace(', ', '-').replace(' ', '')}.json"

    @property
    def alone(self):
        """The student alone for the same steps on the same pixels."""
        return self._replace(teaching=None)


def grid(groups, recipes, epochs):
    """Every student with every recipe, alone and distilled: what is cheap or likely to win comes first."""
    return [
        trial
        for students in groups
        for recipe in recipes
        for student in students
        for trial in both(student, recipe, epochs)
    ]


def both(student, recipe, epochs):
    """A student alone and distilled."""
    return [Trial(student, recipe, epochs, teaching) for teaching in (None, USUAL[recipe])]


def longer(found, student, epochs):
    """A longer training of a student, with the recipes that are best for it alone and best distilled."""
    own = [trial for trial in found if trial.student == student]
    best = [
        max((one for one in own if bool(one.teaching) is taught), key=found.get) for taught in (False, True)
    ]
    return [
        trial
        for recipe in dict.fromkeys(one.recipe for one in best)
        for trial in both(student, recipe, epochs)
    ]


def variants(trial):
    """The same distilled student with other temperatures and weights of the labels."""
    return [trial._replace(teaching=other) for other in OTHERS if other != trial.teaching]


def best_alone(found, student):
    """The trial of a student alone, of any recipe and length, with the highest accuracy."""
    alone = [trial for trial in found if trial.student == student and not trial.teaching]
    return max(alone, key=found.get)


def gain(found, trial):
    """What a distilled student has more than the best one alone: a longer training of it may be cheaper."""
    return found[trial] - found[best_alone(found, trial.student)]


def winner(found):
    """The distilled student that gains most."""
    return max((trial for trial in found if trial.teaching), key=lambda trial: gain(found, trial))


def finalists(found, trial):
    """The winner, the same student alone with the same budget, and the best one alone; there may be two."""
    return list(dict.fromkeys([trial, trial.alone, best_alone(found, trial.student)]))


def reseeded(trial, seeds):
    """The trial with seeds that nothing was chosen by."""
    return [trial._replace(seed=seed) for seed in range(1, seeds + 1)]
