"""What commands print, and messages in the words of the command line."""

import io
import json
import sys

from rich.console import Console
from rich.spinner import Spinner

from keras_kd.cli import output
from keras_kd.reports import Report, Row


def test_a_report_on_a_terminal_is_as_wide_as_it_is(printed, monkeypatch):
    rows = [Row(f"m{i}", "float32", accuracy=0.5, bytes=10, gzip_bytes=9, parameters=3) for i in range(2)]
    report = Report(rows)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    output.show_report(report, as_json=False)
    assert "gzip" not in printed()[0]
    output.show_report(report, as_json=True)
    assert json.loads(printed()[0])["rows"]


def test_arguments_of_the_library_are_options_in_messages():
    assert output.in_shell("Choose a smaller learning_rate=, or") == "Choose a smaller --learning-rate, or"
    assert output.in_shell("it exists; pass overwrite=True") == "it exists; pass --overwrite"
    assert output.in_shell("pass labels, or metric='accuracy'") == "pass labels, or --metric accuracy"
    assert output.in_shell("scaled (teacher_preprocess=...), so") == "scaled (--pixels, if it is images), so"
    assert output.in_shell("quantization='int8' needs calibration=") == "--quantization 'int8' needs --data"
    assert output.in_shell("fix it: input_shape=(64, 64, 3).") == "fix it: --input-shape 64,64,3."
    assert output.in_shell("give input_shape, such as (8, 8, 1).") == "give --input-shape 8,8,1."
    assert output.in_shell("give input_shape= to count") == "give --input-shape to count"
    assert output.in_shell("fix it: input_shape={'a': (16, 16, 3), 'b': (4,)}.") == (
        "fix it: --input-shape a=16,16,3 --input-shape b=4."
    )
    assert output.in_shell("say image_size=(224, 96), pixels='0..1', target='kind'; needs target=.") == (
        "say --image-size 224x96, --pixels '0..1', --target 'kind'; needs --target."
    )
    assert (
        output.in_shell("start from kd.recalibrate(model, data), or") == "start from keras-kd recalibrate, or"
    )
    assert output.in_shell("received batch_size=3. Say input_shape=.") == (
        "received --batch-size 3. Say --input-shape ."
    )


def test_the_command_line_can_be_pasted_into_a_shell(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/keras-kd", "taps", "my model.keras"])
    assert output.command_line() == "keras-kd taps 'my model.keras'"


def test_where_no_status_line_can_be_drawn_notes_are_few():
    lines, now = [], [0.0]
    notes = output.SparseNotes(lines.append, clock=lambda: now[0])
    for second in range(200):
        now[0] = float(second)
        notes.note(f"epoch at {second}")
    assert lines == [f"epoch at {second}" for second in (5, 15, 35, 75, 155)]
    notes.say("done")
    now[0] += 5
    notes.note("next")
    assert lines[-2:] == ["done", "next"]
    now[0] += 100
    notes.note("next")  # nothing new
    notes.note("the one after")
    assert lines[-2:] == ["next", "the one after"]


def test_a_status_is_one_line_however_narrow_the_terminal_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    console = Console(file=io.StringIO(), force_terminal=True, width=40)
    monkeypatch.setattr(output, "err", console)
    console.print(
        Spinner("dots", output._status("student: epoch 2 of 3, 2.8 s an epoch, loss 4.033, accuracy 0.9"))
    )
    assert console.file.getvalue().endswith("student: epoch 2 of 3, 2.8 s an epoch…\n")


def test_names_between_colons_are_no_emoji(printed):
    output.say("mse:a:b")
    assert printed()[1] == "mse:a:b\n"
