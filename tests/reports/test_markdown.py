"""A report as Markdown."""

from keras_kd.reports.markdown import escape
from tests.reports.formats import Tables, markdown_table


def test_training_values_are_in_page_and_markdown(saved):
    page = Tables(saved[".html"]).tables["training"]
    assert page == markdown_table(saved[".md"], "## Training")
    assert ["teacher", "val_accuracy", "30", "12.23 %", "96.21 %"] in page


def test_markdown_shows_names_as_typed(saved):
    text = saved[".md"]
    assert r"student \| \<b\>told\</b\>" in text
    assert r"2 \< 3 \& \`code\`" in text


def test_only_a_leading_sign_would_start_a_list():
    assert escape("- a - b") == r"\- a - b"
    assert escape("two\nlines") == "two lines"
