"""What to do about outputs whose classes are not the same."""


def advice_on_classes(student: int | None, teacher: int | None) -> str:
    """What compares outputs with different numbers of classes; nothing if they are the same or unknown."""
    if student is None or teacher is None or student == teacher:
        return ""
    numbers = f"The student has {student} classes and the teacher {teacher}"
    if (student, teacher) in ((1, 2), (2, 1)):
        argument = "project" if student == 1 else "project_teacher"
        return (
            "One unit is the logit of one of two classes: objectives=[kd.Objective(kd.losses.SoftTargets(), "
            f"{argument}=kd.projections.TwoClasses())] compares [0, logit] with the two, which is exact."
        )
    if 1 in (student, teacher):
        return f"{numbers}: they must be the same classes."
    argument, few = ("project", teacher) if student > teacher else ("project_teacher", student)
    return (
        f"{numbers}. Select those that both have: "
        f"objectives=[kd.Objective(kd.losses.SoftTargets(), {argument}=kd.projections.ClassSubset("
        f"range({few})))], with their indices in the order of the other model's instead of the first {few}."
    )
