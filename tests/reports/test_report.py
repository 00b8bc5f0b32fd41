import dataclasses
import html.parser
import json
import os
import re

import numpy as np
import pytest

from keras_kd.reports import Meta, NotMeasured, Report, Row
from keras_kd.reports.table import COLUMNS, MISSING


class Tables(html.parser.HTMLParser):
    """Collects the cells of every table of a page, by the table's id."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.text = {}, None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.rows = self.tables[dict(attrs)["id"]] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.text = ""

    def handle_data(self, data):
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.text)
            self.text = None


def markdown_table(text, after):
    lines = text.split(f"{after}\n", 1)[1].split("\n\n")
    table = next(block for block in lines if block.lstrip().startswith("| "))
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.strip().split("\n")]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in [rows[0], *rows[2:]]]


def saved(report, folder, suffix):
    return report.save(folder / f"report{suffix}").read_text(encoding="utf-8")


def test_page_markdown_and_json_hold_the_same_figures(report, tmp_path):
    page = Tables(saved(report, tmp_path, ".html")).tables["figures"]
    text = markdown_table(saved(report, tmp_path, ".md"), "Baseline: **teacher**")
    rows = json.loads(saved(report, tmp_path, ".json"))["rows"]
    assert page == text
    assert [row[0] for row in text[1:]] == [row["name"] for row in rows]
    by_title = {column.title: column for column in COLUMNS}
    for cells, row in zip(text[1:], rows, strict=True):
        for title, cell in zip(text[0], cells, strict=True):
            assert cell == by_title[title].text(Row(**row))


def test_terminal_shows_the_same_figures(report):
    lines = str(report).splitlines()
    for line, row in zip(lines[2:], report.rows, strict=False):
        assert line.startswith(row.name)
        assert all(column.text(row) in line for column in COLUMNS if column.text(row) != MISSING)
    assert "baseline: teacher" in lines
    assert "not measured: energy (no <meter>)" in lines


def test_terminal_shows_names_as_typed_and_whole(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    names = ["[red]a[/red]", ":smile:", "x" * 500, "中文"]
    lines = str(Report([Row(name, "int8", accuracy=0.5) for name in names])).splitlines()
    assert [line.split()[0] for line in lines[2:]] == names
    assert all(line.endswith("int8   50.00 %") for line in lines[2:])
    assert "\x1b" not in "".join(lines)


def test_training_values_are_in_page_and_markdown(report, tmp_path):
    page = Tables(saved(report, tmp_path, ".html")).tables["training"]
    assert page == markdown_table(saved(report, tmp_path, ".md"), "## Training")
    assert ["teacher", "val_accuracy", "30", "0.1223", "0.9621"] in page


def test_json_comes_back_equal(report, tmp_path):
    assert Report.load(report.save(tmp_path / "r.json")) == report


@pytest.mark.parametrize("suffix", [".html", ".md", ".json"])
def test_every_format_tells_what_was_not_measured(report, tmp_path, suffix):
    text = saved(report, tmp_path, suffix)
    assert "energy" in text
    assert "A CPU" in text
    assert "3.15.1" in text


def test_markdown_shows_names_as_typed(report, tmp_path):
    text = saved(report, tmp_path, ".md")
    assert r"student \| \<b\>told\</b\>" in text
    assert r"2 \< 3 \& \`code\`" in text


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, np.float32("nan")])
def test_figures_that_are_no_numbers_become_none(bad):
    row = Row("a", "keras", accuracy=bad, bytes=bad, speedup=bad)
    assert (row.accuracy, row.bytes, row.speedup) == (None, None, None)


def test_numpy_figures_become_plain():
    row = Row("a", "keras", accuracy=np.float32(0.5), bytes=np.int64(7))
    assert type(row.accuracy) is float
    assert type(row.bytes) is int


@pytest.mark.parametrize("bad", ["0.9", True, [1]])
def test_figures_of_another_type_are_refused(bad):
    with pytest.raises(TypeError, match="must be a number or None"):
        Row("a", "keras", accuracy=bad)


def test_bad_reports_are_refused():
    row = Row("a", "keras")
    with pytest.raises(ValueError, match="at least one row"):
        Report([])
    with pytest.raises(ValueError, match="all be different"):
        Report([row, row])
    with pytest.raises(ValueError, match="baseline must be one of the rows"):
        Report([row], baseline="b")


def test_rows_by_name(report):
    assert report["int8"].bytes == 19300
    with pytest.raises(KeyError, match="No row is named 'int9'"):
        report["int9"]


def test_reports_are_frozen(report):
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.baseline = None


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.htm"])
def test_unknown_suffix(report, tmp_path, name):
    with pytest.raises(ValueError, match=r"\.html, \.md or \.json"):
        report.save(tmp_path / name)


def test_nothing_is_overwritten_silently(report, tmp_path):
    path = report.save(str(tmp_path / "r.md"))
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        report.save(path)
    assert path.read_text() == "mine"
    report.save(path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("# A")


def test_missing_folder(report, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        report.save(tmp_path / "no" / "r.md")


def test_a_failed_write_leaves_the_old_file_and_no_litter(report, tmp_path, monkeypatch):
    path = report.save(tmp_path / "r.json")
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        report.save(path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["r.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "Received: 'list'"),
        (b'{"format": "keras_kd report 9"}', "report 9"),
        (b'{"format": "keras_kd report 1"}', "damaged"),
        (b'{"format": "keras_kd report 1", "rows": [{"nom": 1}]}', "damaged"),
    ],
)
def test_files_that_are_no_report(tmp_path, content, message):
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Report.load(path)


def test_load_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Report.load(tmp_path / "none.json")


def test_the_smallest_report(tmp_path):
    report = Report([Row("a", "keras")])
    assert str(report) == "model  kind\n────────────\na      keras"
    for suffix in (".html", ".md", ".json"):
        assert "a" in saved(report, tmp_path, suffix)
    assert Report.load(tmp_path / "report.json") == report


def test_method_says_only_what_was_done():
    timed = Report([Row("f", "int8", median_ms=1.0)], meta=Meta(threads=2, samples=9))
    assert [line.split(":")[0] for line in timed.method()] == ["Accuracy and agreement", "Latency"]
    assert "2 threads" in timed.method()[1]
    assert Report([Row("k", "keras", bytes=1)]).method()[0].startswith("A Keras model is sized")
    assert Report([Row("k", "keras")], not_measured=[NotMeasured("a", "b")]).method() == []


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_terminal_gets_fewer_columns(report, width):
    whole, narrow = str(report).splitlines(), report.text(width).splitlines()
    table = narrow[: len(report.rows) + 2]
    assert max(map(len, table)) <= width
    assert max(map(len, table)) < max(map(len, whole[: len(report.rows) + 2]))
    assert "accuracy" in table[0]
    assert narrow[len(table) :] == whole[len(table) :]
