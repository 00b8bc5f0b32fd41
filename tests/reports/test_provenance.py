"""How a report says where its figures come from."""

from keras_kd.reports import Meta, NotMeasured, Report, Row, provenance


def test_method_says_only_what_was_done():
    timed = Report([Row("f", "int8", median_ms=1.0)], meta=Meta(threads=2, samples=9))
    assert [line.split(":")[0] for line in provenance.methods(timed)] == ["Accuracy and agreement", "Latency"]
    assert "2 threads" in provenance.methods(timed)[1]
    assert provenance.methods(Report([Row("k", "keras", bytes=1)]))[0].startswith("A Keras model is sized")
    assert provenance.methods(Report([Row("k", "keras")], not_measured=[NotMeasured("a", "b")])) == []
