"""What histories say: the epoch that counts, and losses that can be compared."""

import pytest

from keras_kd.jobs.histories import comparable_losses, is_finite, summary, validation_curves

ACCURATE = {
    "val_accuracy": [0.5, 0.75, 0.7],
    "val_loss": [0.1, 0.05, 0.06],
    "val_label_loss": [1.0, 0.5, 0.6],
}
OF_EACH = {"val_a_label_loss": [2.0, 1.0], "val_b_label_loss": [3.0, 1.0]}
SEVERAL = {**OF_EACH, "val_loss": [0.5, 0.2], "val_a_loss": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("history", "keeps_best", "before", "text"),
    [
        (ACCURATE, False, 0, "3 epochs, validation accuracy 70.0 %"),
        (ACCURATE, True, 0, "3 epochs, validation accuracy 75.0 % in epoch 2, which is kept"),
        ({"val_accuracy": [0.5], "val_loss": [1.0]}, True, 0, "1 epoch, validation accuracy 50.0 %"),
        (ACCURATE, True, 20, "3 more epochs, validation accuracy 75.0 % in epoch 22, which is kept"),
        (SEVERAL, False, 0, "2 epochs, validation loss 2"),
    ],
)
def test_summary(history, keeps_best, before, text):
    assert summary(history, keeps_best, before) == text


def test_losses_against_labels_are_compared_whatever_their_weight_is():
    assert comparable_losses(ACCURATE) == [1.0, 0.5, 0.6]
    assert comparable_losses(SEVERAL) == [5.0, 2.0]
    assert comparable_losses({"val_loss": [0.3]}) == [0.3]
    curves = validation_curves([ACCURATE, ACCURATE])
    assert curves == {"val_accuracy": 2 * ACCURATE["val_accuracy"], "val_loss": 2 * [1.0, 0.5, 0.6]}
    of_each = {"val_a_loss": [2.0, 1.0], "val_b_loss": [3.0, 1.0]}
    assert validation_curves([SEVERAL]) == {**of_each, "val_loss": [5.0, 2.0]}


@pytest.mark.parametrize(("loss", "finite"), [(1.0, True), (float("nan"), False), (float("inf"), False)])
def test_a_loss_that_is_no_number(loss, finite):
    assert is_finite({"loss": [1.0, loss], "val_loss": [1.0, 1.0], "accuracy": [0.5, 0.5]}) == finite
