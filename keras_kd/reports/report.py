"""The report: figures, their sources, and how to save them."""

import dataclasses
import json
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from keras_kd.files import write_atomically
from keras_kd.locations import REPORT_SUFFIXES, check_report_target
from keras_kd.reports import card
from keras_kd.reports.markdown import markdown
from keras_kd.reports.page import page
from keras_kd.reports.provenance import remarks
from keras_kd.reports.rows import Meta, NotMeasured, Row, plain_number
from keras_kd.reports.terminal_table import plain
from keras_kd.reports.twins import as_shown
from keras_kd.reports.verdict import Choice, ClassFigures, Confusion, Verdict
from keras_kd.results import Result

FORMAT = "keras_kd report 1"
_WRAPPED: dict[str, Any] = {
    "subsequent_indent": "  ",
    "break_long_words": False,
    "break_on_hyphens": False,
}


@dataclasses.dataclass(frozen=True)
class Report(Result):
    """Figures of several models side by side, and what was not measured.

    Args:
        rows: One `Row` per model or file, with distinct names.
        baseline: Name of the row that the others are compared with, or None.
        meta: Where and how the figures were measured.
        facts: Sentences to show first, such as what distillation gained.
        curves: Model name -> metric -> one value per epoch (the `history.history` of a Keras fit).
        not_measured: What is missing, and why.
        verdict: Whether the training that the report is about helped.
        choice: The file to ship.
        classes: How well each class is recognized, in the order of the classes.
        confusions: The classes that the models confuse most, the most frequent first.
        snippets: Name of a language -> a program that runs the chosen file.

    A report is frozen; `dataclasses.replace(report, facts=[...])` returns one with more facts.

    Raises:
        ValueError: There are no rows, two rows have the same name, or the baseline is not one of the rows.

    Examples:
        >>> from keras_kd.reports import Report, Row
        >>> teacher = Row("teacher", "float32", accuracy=0.98, bytes=409600)
        >>> rows = [teacher, Row("int8", "int8", accuracy=0.97)]
        >>> print(Report(rows, baseline="teacher"))
        model    kind     accuracy    KiB
        ─────────────────────────────────
        teacher  float32   98.00 %  400.0
        int8     int8      97.00 %      –
        <BLANKLINE>
        baseline: teacher
    """

    rows: Sequence[Row]
    baseline: str | None = None
    meta: Meta = dataclasses.field(default_factory=Meta)
    facts: Sequence[str] = ()
    curves: Mapping[str, Mapping[str, Sequence[float | None]]] = dataclasses.field(default_factory=dict)
    not_measured: Sequence[NotMeasured] = ()
    verdict: Verdict | None = None
    choice: Choice | None = None
    classes: Sequence[ClassFigures] = ()
    confusions: Sequence[Confusion] = ()
    snippets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    warnings: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if not names:
            raise ValueError("A report needs at least one row. Received none.")
        if len(set(names)) < len(names):
            raise ValueError(f"Row names must all be different. Received: {names}")
        if self.baseline is not None and self.baseline not in names:
            raise ValueError(f"The baseline must be one of the rows {names}. Received: {self.baseline!r}")
        if self.choice is not None and self.choice.name not in names:
            raise ValueError(f"The choice must be one of the rows {names}. Received: {self.choice.name!r}")
        for field in ("rows", "facts", "not_measured", "classes", "confusions", "warnings"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        object.__setattr__(self, "snippets", dict(self.snippets))
        object.__setattr__(self, "curves", plain_curves(self.curves))

    def __getitem__(self, name: str) -> Row:
        """The row with that name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"No row is named {name!r}. The rows are: {[row.name for row in self.rows]}")

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The report as text for a terminal.

        Args:
            width: Characters per line; a narrow table leaves out columns, long names are shortened and
                sentences are wrapped. `None` shows everything, one sentence per line.
        """
        shown = as_shown(self)
        lines = [*(f"warning: {warning}" for warning in self.warnings), *card.sentences(shown)]
        if shown.baseline is not None:
            lines.append(f"baseline: {shown.baseline}")
        lines += self.facts
        lines += [f"note: {remark}" for remark in remarks(shown)]
        lines += [f"not measured: {gap.what} ({gap.why})" for gap in self.not_measured]
        if width is not None:
            lines = [textwrap.fill(line, width, **_WRAPPED) for line in lines]
        return "\n".join([plain(shown.rows, width), "", *lines]).rstrip()

    def to_json(self) -> str:
        """Return the whole report as JSON text, which `load` reads."""
        return json.dumps({"format": FORMAT, **self.to_dict()}, indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the report; the suffix decides the format.

        Args:
            path: A file ending in `.html` (a self-contained page), `.md` or `.json`. All three contain
                the same figures. Paths of files are written relative to its folder, so that the folder may
                move.
            overwrite: Whether an existing file may be replaced.

        Returns:
            The path of the file.

        Raises:
            ValueError: For any other suffix.
            FileNotFoundError: If the folder does not exist.
            FileExistsError: If the file exists and `overwrite` is false.

        Examples:
            >>> import tempfile
            >>> from keras_kd.reports import Report, Row
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Report([Row("student", "keras", accuracy=0.9)]).save(folder + "/report.json")
            ...     Report.load(path)["student"].accuracy
            0.9
        """
        path = check_report_target(path, overwrite=overwrite)
        write = dict(zip(REPORT_SUFFIXES, (page, markdown, Report.to_json), strict=True))[path.suffix.lower()]
        with write_atomically(path) as part:
            part.write_text(write(_with_paths(self, partial(_relative, path.parent))), encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Report":
        """Read a report that was saved as `.json`, also by an earlier version.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a report of this version.
        """
        try:
            saved = json.loads(Path(path).read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(
                f"{str(path)!r} is not JSON; load a report that was saved as .json: {error}"
            ) from error
        if not isinstance(saved, dict) or saved.get("format") != FORMAT:
            found = saved.get("format") if isinstance(saved, dict) else type(saved).__name__
            raise ValueError(f"{str(path)!r} is not a {FORMAT!r}. Received: {found!r}")
        try:
            return _with_paths(_of_saved(saved), partial(_absolute, Path(path).parent))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{str(path)!r} is a damaged report: {error}") from error


def _of_saved(saved: dict[str, Any]) -> Report:
    """The report of what `load` read; reports of earlier versions have no conclusions."""
    verdict, choice = saved.get("verdict"), saved.get("choice")
    return Report(
        rows=[Row(**row) for row in saved["rows"]],
        baseline=saved["baseline"],
        meta=Meta(**saved["meta"]),
        facts=saved["facts"],
        curves=saved["curves"],
        not_measured=[NotMeasured(**gap) for gap in saved["not_measured"]],
        verdict=verdict and Verdict(**verdict),
        choice=choice and Choice(**choice),
        classes=[ClassFigures(**figures) for figures in saved.get("classes", ())],
        confusions=[Confusion(**confusion) for confusion in saved.get("confusions", ())],
        snippets=saved.get("snippets", {}),
        warnings=saved.get("warnings", ()),
    )


def _with_paths(report: Report, change: Callable[[str], str]) -> Report:
    """The report with the path of each row changed."""
    rows = [dataclasses.replace(row, path=change(row.path)) if row.path else row for row in report.rows]
    return dataclasses.replace(report, rows=rows)


def _relative(folder: Path, path: str) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return path


def _absolute(folder: Path, path: str) -> str:
    return os.path.normpath(folder / path)


def plain_curves(
    curves: Mapping[str, Mapping[str, Sequence[float | None]]],
) -> dict[str, dict[str, tuple[float | None, ...]]]:
    """Training curves as plain numbers, with None for values that are not finite."""
    return {
        name: {metric: tuple(map(plain_number, values)) for metric, values in history.items()}
        for name, history in curves.items()
    }
