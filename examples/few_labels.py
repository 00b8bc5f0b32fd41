"""Few labels and many inputs: where distillation helps most.

Run: python examples/few_labels.py [--short]

The teacher is trained on all 1,257 labels, the students on 100. The student alone learns from these 100
digits. The distilled student also learns from the teacher's predictions for the other 1,157, whose labels
have weight 0.
"""

import argparse

import keras

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
epochs = 1 if parser.parse_args().short else 20

data = kd.datasets.digits()
labelled = data.labelled_only(100)  # 100 rows, repeated for the same number of steps
partly = data.partly_labelled(100)  # all rows; unlabeled ones have sample weight 0
_, _, weights = partly.arrays["train"]
print(f"{(weights > 0).sum()} of {len(weights)} training inputs have a label")

cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(model, batches, hard_weight=1.0):
    keras.utils.set_random_seed(1)  # the same batch order for both students
    # weighted_metrics: unlabeled inputs do not count toward accuracy.
    model.compile(
        keras.optimizers.Adam(2e-3),
        loss=cross_entropy,
        loss_weights=hard_weight,
        weighted_metrics=["accuracy"],
    )
    model.fit(batches, epochs=epochs, verbose=2)


def student():
    keras.utils.set_random_seed(2)  # the same initial weights for both students
    return kd.models.digits_student()


keras.utils.set_random_seed(0)
teacher = kd.models.digits_teacher()
train(teacher, data.train)

alone = student()
train(alone, labelled.train)

distilled = student()
distiller = kd.Distiller(
    distilled,
    teacher,
    objectives=[
        # Soft targets apply to every input, whatever its sample weight.
        kd.Objective(kd.losses.SoftTargets(temperature=4.0), weight=0.9, use_sample_weight=False)
    ],
)
train(distiller, partly.train, hard_weight=0.1)

for name, model in (("teacher", teacher), ("student alone", alone), ("student distilled", distiller)):
    accuracy = model.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]
    print(f"{name}: {100 * accuracy:.1f} % of the test digits are right")
