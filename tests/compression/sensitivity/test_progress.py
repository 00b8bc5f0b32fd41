"""The progress bar."""

import io
import sys

from keras_kd.compression.sensitivity.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with show_progress(2) as done:
        done("head")
        done("conv[red]\x1b[2J")
    return stream.getvalue()


def test_a_terminal_shows_a_bar_and_no_control_character_of_a_name(monkeypatch):
    text = shown(Terminal(), monkeypatch)
    assert "2/2" in text
    assert "conv[red]" in text
    assert "\x1b[2J" not in text


def test_a_pipe_shows_nothing(monkeypatch):
    assert shown(io.StringIO(), monkeypatch) == ""
