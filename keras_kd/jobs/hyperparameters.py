"""How the main job trains."""

from dataclasses import dataclass

# The command line reads them before Keras is there.
AUGMENTATIONS = ("flip", "shift", "zoom", "rotate")


@dataclass(frozen=True)
class Hyperparameters:
    """How the main job trains.

    Args:
        teacher_epochs: Epochs of the teacher.
        student_epochs: Epochs of each student, in all.
        learning_rate: Initial learning rate of Adam, which decays to zero along a cosine.
        temperature: Temperature of the soft targets.
        alpha: Weight of the hard loss; the soft targets have weight `1 - alpha`.
        loss: The name of a loss of `kd.losses` in place of the soft targets.
        objectives: Further objectives, as `"mse:block2:block4"`: loss, student's tap, teacher's tap. A weight
            may stand before it: `"0.5*mse:block2:block4"`.
        early_stopping: Stop after so many epochs without a better result on validation, and keep the best.
        augment: How the training images are changed at random: `"flip"`, `"shift"`, `"zoom"`, `"rotate"`.
        earlier: The numbers of epochs after which a run was continued. The learning rate starts anew there.
    """

    teacher_epochs: int
    student_epochs: int
    learning_rate: float = 2e-3
    temperature: float = 4.0
    alpha: float = 0.1
    loss: str | None = None
    objectives: tuple[str, ...] = ()
    early_stopping: int | None = None
    augment: tuple[str, ...] = ()
    earlier: tuple[int, ...] = ()

    @property
    def phases(self) -> list[range]:
        """The epochs of the training of a student and of each continuation, counted from 0."""
        ends = [*self.earlier, self.student_epochs]
        return [range(start, end) for start, end in zip([0, *self.earlier], ends, strict=True)]
