"""How a report says where its figures come from."""

from keras_kd.reports import Meta, NotMeasured, Report, Row, provenance


def test_method_says_only_what_was_done():
    timed = Report([Row("f", "int8", median_ms=1.0)], meta=Meta(threads=2, samples=9))
    assert [line.split(":")[0] for line in provenance.methods(timed)] == ["Accuracy and agreement", "Latency"]
    assert "2 threads" in provenance.methods(timed)[1]
    assert provenance.methods(Report([Row("k", "keras", bytes=1)]))[0].startswith("A Keras model is sized")
    assert provenance.methods(Report([Row("k", "keras")], not_measured=[NotMeasured("a", "b")])) == []


def test_remarks_on_the_machine_come_before_those_on_rows():
    rows = [
        Row("a", "int8", median_ms=1.0, notes=("Odd.", "Slow.")),
        Row("b", "int8", disturbance="p90 is 3x"),
    ]
    busy, *others = provenance.remarks(Report(rows))
    assert busy.startswith("The machine was busy while timing (b: p90 is 3x).")
    assert others == ["a: Odd.", "a: Slow."]
    rows.append(Row("c", "int8", notes=("Slow.",)))
    assert provenance.remarks(Report(rows))[1:] == ["a: Odd.", "a, c: Slow."]
    assert provenance.remarks(Report(rows[:1])) == others
