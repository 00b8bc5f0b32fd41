"""How long all of it will take here."""

import time

import keras

from payoffs.trainings import TEACHERS, fit
from payoffs.views import RECIPES, batches, view

STEPS = 50


def print_times(chosen, plan, seeds):
    """Time an epoch of each network, and print what the plan takes at that speed."""
    networks = {name: chosen.students[name] for name in dict.fromkeys(trial.student for trial in plan)}
    seconds = {name: seconds_of_epoch(make(), chosen) for name, make in networks.items()}
    teacher = chosen.teacher()
    of_teacher = TEACHERS * chosen.teacher_epochs * seconds_of_epoch(teacher, chosen)
    of_answers = TEACHERS * answered_views(plan, chosen) * seconds_of_answers(teacher, chosen.train.x)
    of_plan = sum(trial.epochs * seconds[trial.student] for trial in plan)
    # How many recipes are trained longer is not known, nor the winner: this is the most that it can be.
    of_longer = sum(4 * epochs * sum(seconds.values()) for epochs in chosen.lengths[1:])
    longest = chosen.lengths[-1] * max(seconds.values())
    of_winner = (chosen.variants + 3 * seeds) * longest
    for name, value in seconds.items():
        print(f"{name}: {value:.1f} s per epoch")
    parts = {"teacher": of_teacher, "its answers": of_answers, "students": of_plan}
    parts["longer trainings, at most"] = of_longer
    parts["variants and tests, at most"] = of_winner
    for name, value in [*parts.items(), ("sum", sum(parts.values()))]:
        print(f"{name}: {value / 60:.0f} min")


def seconds_of_epoch(model, chosen):
    """Those of the second epoch, as the first one begins with the tracing of the step."""
    steps = len(chosen.train.x) // chosen.batch_size
    few, times = min(STEPS, steps), []
    part = chosen.train.rows(slice(few * chosen.batch_size))

    def views(number):
        return view(part, RECIPES["shifts"], number, chosen.most, chosen.flips)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: times.append(time.perf_counter()))
    fit(model, batches(views, 2, 2, chosen.batch_size, 0), 2, few, [callback])
    return (times[1] - times[0]) * steps / few


def seconds_of_answers(model, images):
    part = images[:2500]
    model.predict(part, batch_size=500, verbose=0)
    started = time.perf_counter()
    model.predict(part, batch_size=500, verbose=0)
    return (time.perf_counter() - started) * len(images) / len(part)


def answered_views(plan, chosen):
    """How many views a teacher answers."""
    return sum(
        chosen.views if RECIPES[name].moved else 1 for name in dict.fromkeys(each.recipe for each in plan)
    )
