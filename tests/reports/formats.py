"""Reading the saved formats of a report back."""

import html.parser
import re


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
            self.text += data.replace("\u00a0", " ")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.text)
            self.text = None


def markdown_table(text, after):
    lines = text.split(f"{after}\n", 1)[1].split("\n\n")
    table = next(block for block in lines if block.lstrip().startswith("| "))
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.strip().split("\n")]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in [rows[0], *rows[2:]]]
