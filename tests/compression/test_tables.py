"""Tables in plain text."""

from keras_kd.compression.tables import draw


def test_a_table_is_aligned():
    lines = draw(("n", "name"), [("7", "a"), ("10", "longer")], right={0}).splitlines()
    assert [line.split() for line in lines] == [["n", "name"], [lines[1]], ["7", "a"], ["10", "longer"]]
    assert lines[2].index("7") == lines[3].index("0")
    assert lines[2].index("a") == lines[3].index("l") == lines[0].index("name")
    assert all(line == line.rstrip() for line in lines)


def test_cells_are_text_as_it_is():
    """Brackets are no markup, and nothing is cut."""
    line = draw(("layer",), [("[red]block[/red]" * 12,)]).splitlines()[2]
    assert line == "[red]block[/red]" * 12
