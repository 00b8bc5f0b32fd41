"""Where distillation pays with all labels at hand: students, recipes and lengths, alone and distilled.

    python benchmarks/payoff.py [--data digits|fashion_mnist] [--out FOLDER] [--seeds 3]
                                [--students mlp vit ...] [--times] [--short]

Two ResNet-20s, trained on flipped and shifted images, are averaged into the teacher. Each student is trained
alone and distilled for the same steps on the same pixels: plain images, flipped and shifted ones, and those
blended with each other. All are compared on validation data, a sixth of the training data. With the recipes
that are best for it alone and distilled, a student is trained three times as long. The distilled student that
gains most over the best one alone, of any recipe and length, is tried with other temperatures and weights of
the labels. The winner, the same student alone and the best one alone are trained with seeds that nothing was
chosen by, and no other students see the test data.

An epoch draws one of 16 views of the images. They come from a seed, so that the teacher answers each of them
once. Its answers, and the result of each training, are kept in FOLDER as soon as they are there, and the same
command goes on where it stopped; FOLDER/DATA/tried-STUDENTS.md is the table so far. With --students, only the
first table of these is made. --times prints what an epoch of each network takes, and the whole.

Networks this small gain little from a second thread. Once the teacher is there, two processes with
TF_NUM_INTRAOP_THREADS=1, each with some of --students, can fill FOLDER at the same time.
"""

import argparse
import tempfile
from pathlib import Path

from payoffs.plan import finalists, grid, longer, reseeded, variants, winner
from payoffs.sets import GROUPS, open_set
from payoffs.tables import teachers, tested, tried
from payoffs.times import print_times
from payoffs.trainings import Trainings

from keras_kd.files import write_atomically


def main():
    given = arguments()
    chosen = open_set(given.data, given.short)
    students = given.students or list(chosen.students)
    groups = [[name for name in group if name in students] for group in GROUPS]
    shortest, *more = chosen.lengths
    plan = grid(groups, chosen.recipes, shortest)
    if given.times:
        print_times(chosen, plan, given.seeds)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.out or Path(temporary)) / f"{given.data}{'-short' if given.short else ''}"
        folder.mkdir(parents=True, exist_ok=True)
        trainings = Trainings(chosen, folder)
        print(f"Accuracy on {given.data} in %:\n\n{teachers(trainings.teacher_accuracies())}", flush=True)
        search = Search(trainings, folder / f"tried-{'-'.join(students)}.md")
        search.extend(plan)
        for epochs in more:
            for student in students:
                search.extend(longer(search.found, student, epochs))
        if not given.students:
            search.extend(variants(winner(search.found))[: chosen.variants])
        print(f"On validation data, in %:\n\n{search.table()}")
        if not given.students:
            test(trainings, search.found, 1 if given.short else given.seeds)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [name for group in GROUPS for name in group]
    parser.add_argument("--data", choices=("digits", "fashion_mnist"), default="digits")
    parser.add_argument("--out", type=Path, help="default: a temporary folder")
    parser.add_argument("--seeds", type=int, default=3, help="of the trainings that are tested")
    parser.add_argument("--students", nargs="+", choices=names)
    parser.add_argument("--times", action="store_true", help="time an epoch of each network, and stop")
    parser.add_argument("--short", action="store_true", help="few and short trainings of small networks")
    return parser.parse_args()


class Search:
    """What was tried so far, as a table that is written anew after each training."""

    def __init__(self, trainings, path):
        self.trainings, self.path, self.found = trainings, path, {}

    def extend(self, trials):
        for trial in trials:
            self.found[trial] = self.trainings.validated(trial)
            with write_atomically(self.path) as part:
                part.write_text(self.table(), encoding="utf-8")

    def table(self):
        return tried(self.found, self.trainings.parameters)


def test(trainings, found, seeds):
    """The winner and what it is compared with."""
    chosen = finalists(found, winner(found))
    values = {trial: [trainings.tested(each) for each in reseeded(trial, seeds)] for trial in chosen}
    print(f"On test data, in %, {seeds} seed{'s' if seeds > 1 else ''}:\n\n{tested(values, found)}")


if __name__ == "__main__":
    main()
