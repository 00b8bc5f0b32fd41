import keras
import numpy as np

from keras_kd.training.callback_state import StateElsewhere, changed_attributes, restore_attributes, snapshot


class Watcher(keras.callbacks.Callback):
    def __init__(self, limit=3):
        super().__init__()
        self.limit, self.count, self.history_of_losses, self.mask = limit, 0, [], None
        self.on_call = print  # cannot be stored

    def learn(self):
        self.count, self.mask = 2, np.ones(3)
        self.history_of_losses.append(0.5)
        self.on_call = repr


def test_attributes_that_changed_are_state_and_the_others_are_arguments():
    watcher = Watcher()
    watcher.set_params({"epochs": 1})
    before = snapshot([watcher])
    watcher.set_params({"epochs": 2})  # which Keras does, and is no state
    watcher.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    watcher.learn()
    ((name, changed),) = changed_attributes([watcher], before)
    assert (name, sorted(changed)) == ("Watcher", ["count", "history_of_losses", "mask"])


def test_state_that_is_kept_elsewhere_is_stored_first():
    class Elsewhere(Watcher, StateElsewhere):
        variable = 1

        def store_state(self):
            self.count = self.variable

    watcher = Elsewhere()
    before = snapshot([watcher])
    watcher.variable = 5
    saved = changed_attributes([watcher], before)
    assert saved == [["Elsewhere", {"count": 5, "variable": 5}]]


def test_a_method_of_that_name_in_a_callback_of_a_user_is_not_called():
    class OfUser(Watcher):
        def store_state(self, path):
            raise AssertionError(path)

    assert snapshot([OfUser()])[0]["count"] == 0


def test_the_n_th_callback_of_a_class_gets_the_state_of_the_n_th():
    first, stop, second = Watcher(), keras.callbacks.EarlyStopping("loss"), Watcher()
    before = snapshot([first, stop, second])
    first.count, second.count, stop.wait = 1, 2, 4
    saved = changed_attributes([first, stop, second], before)
    again = [Watcher(limit=9), Watcher(), keras.callbacks.EarlyStopping("loss"), Watcher()]
    restore_attributes(again, saved)
    assert [callback.count for callback in again if isinstance(callback, Watcher)] == [1, 2, 0]
    assert again[2].wait == 4
    assert again[0].limit == 9  # an argument of this run


def test_what_is_restored_is_a_copy():
    watcher = Watcher()
    before = snapshot([watcher])
    watcher.learn()
    saved = changed_attributes([watcher], before)
    other = Watcher()
    restore_attributes([other], saved)
    other.history_of_losses.append(0.1)
    assert saved[0][1]["history_of_losses"] == [0.5]


def test_the_min_delta_of_early_stopping_is_no_state_although_its_sign_changes():
    stop = keras.callbacks.EarlyStopping("loss", min_delta=0.5)
    before = snapshot([stop])
    stop.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    stop.model.compile("sgd", loss="mse")
    stop.on_train_begin()
    stop.on_epoch_end(0, {"loss": 1.0})
    assert stop.min_delta == -0.5
    assert "min_delta" not in changed_attributes([stop], before)[0][1]
