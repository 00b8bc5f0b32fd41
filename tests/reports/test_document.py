"""The frame of a page."""

from keras_kd.reports.document import document
from keras_kd.reports.style import STYLE


def test_the_frame():
    text = document("a <b>", ["<p>one</p>", "", "<p>two</p>"], ".own { top: 0; }")
    assert text.startswith("<!doctype html>")
    assert "<title>a &lt;b&gt;</title>" in text
    assert "default-src 'none'" in text
    assert f"{STYLE}.own {{ top: 0; }}</style>" in text
    assert "<main>\n<p>one</p>\n<p>two</p>\n</main>" in text
    assert text.endswith("</html>\n")
