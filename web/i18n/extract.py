"""``python -m web.i18n.extract``: bring the catalogues up to date with the texts in the source.

New texts are added without a translation, texts that are gone are taken out, and translations stay. A test fails
while a text has no translation.
"""

from __future__ import annotations

import sys

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from web.i18n import DEFAULT, FOLDER, LANGUAGES

SOURCE = FOLDER.parent
METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"N_": None, "_": None, "gettext": None, "ngettext": (1, 2)}


def texts() -> Catalog:
    """Return all texts in the source, untranslated."""
    catalogue = Catalog(charset="utf-8")
    found = extract_from_dir(
        SOURCE,
        METHODS,
        options_map={"**.html": {"silent": "false", "extensions": "jinja2.ext.do"}},
        keywords=KEYWORDS,
        comment_tags=(),
    )
    for filename, line, text, _comments, _context in found:
        catalogue.add(text, locations=[(filename, line)])
    return catalogue


def stored(language: str) -> Catalog:
    """Return the catalogue of a language as it is stored."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def main() -> int:
    """Bring all catalogues up to date.

    Returns
    -------
    int
        Exit code: 0.
    """
    template = texts()
    for language in LANGUAGES:
        if language == DEFAULT:
            continue
        catalogue = stored(language)
        catalogue.update(template, no_fuzzy_matching=True)
        with (FOLDER / f"{language}.po").open("wb") as file:
            write_po(
                file, catalogue, width=0, omit_header=False, sort_by_file=True, ignore_obsolete=True, no_location=True
            )
        missing = sum(1 for message in catalogue if message.id and not all(_strings(message.string)))
        sys.stdout.write(f"{language}: {len(catalogue)} texts, {missing} without a translation\n")
    return 0


def _strings(string: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (string or "",) if not isinstance(string, (tuple, list)) else tuple(string)


if __name__ == "__main__":
    sys.exit(main())
