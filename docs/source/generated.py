"""Write what a script makes for the site, or say whether it is up to date."""

import argparse
import sys
from pathlib import Path


def parser(docstring):
    """The arguments of a script that writes for the site."""
    parser = argparse.ArgumentParser(description=docstring.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether all is up to date")
    return parser


def save(texts, script, check):
    """Write each text to its path, or exit if a file holds another text."""
    for path, text in texts.items():
        if not check:
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            sys.exit(f"docs/{path.name} is not what docs/source/{Path(script).name} writes. Run it.")
