"""Escape sequences of terminals (ECMA-48): colours and weights become names of styles, everything else is dropped.

Colours of 256 and of 16 million are brought to the nearest of the 16 that every terminal has, because those have shades
that can be read on a light ground and on a dark one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

ESCAPE = "\x1b"
LONGEST = 512
"""Characters after which a sequence that does not end is none."""

_SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<parameters>[0-9:;<=>?]*)[ -/]*(?P<final>[@-~])"  # CSI
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC up to BEL or ST
    r"|[ -/]+[0-~]"  # nF, as the choice of a character set
    r"|[0-OQ-WYZ\\`-~])"  # Fp, Fe, Fs
)
_BEGUN = re.compile(r"\x1b(?:\[[0-9:;<=>?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")

_BASIC = (
    (0, 0, 0),
    (205, 49, 49),
    (13, 188, 121),
    (229, 229, 16),
    (36, 114, 200),
    (188, 63, 188),
    (17, 168, 205),
    (229, 229, 229),
    (102, 102, 102),
    (241, 76, 76),
    (35, 209, 139),
    (245, 245, 67),
    (59, 142, 234),
    (214, 112, 214),
    (41, 184, 219),
    (255, 255, 255),
)
_CUBE = (0, 95, 135, 175, 215, 255)
_WEIGHTS = {1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 9: "s"}
"""SGR codes: bold, faint, italic, underlined, reversed, struck through."""

_ENDS = {21: "b", 22: "bd", 23: "i", 24: "u", 27: "r", 29: "s"}


class Style(NamedTuple):
    """How text looks: weights, foreground and background, each the number of a colour or None."""

    weights: frozenset[str] = frozenset()
    foreground: int | None = None
    background: int | None = None

    @property
    def name(self) -> str:
        """Names of styles, as ``b f1 g4``; empty for plain text."""
        parts = sorted(self.weights)
        if self.foreground is not None:
            parts.append(f"f{self.foreground}")
        if self.background is not None:
            parts.append(f"g{self.background}")
        return " ".join(parts)


PLAIN = Style()


class Parser:
    """Takes text piece by piece and tells runs of one style apart. A sequence may be cut by the end of a piece."""

    def __init__(self) -> None:
        self.style = PLAIN
        self._rest = ""

    @property
    def clean(self) -> bool:
        """Whether nothing of what was read changes what follows."""
        return not self._rest and self.style == PLAIN

    def feed(self, text: str) -> Iterator[tuple[str, str]]:
        r"""Yield the runs of a piece of text: name of the style, text without sequences.

        Examples
        --------
        >>> list(Parser().feed("a\x1b[1;31mb\x1b[0mc"))
        [('', 'a'), ('b f1', 'b'), ('', 'c')]
        """
        text, self._rest = self._rest + text, ""
        if ESCAPE not in text:
            if text:
                yield self.style.name, text
            return
        place = 0
        while (begin := text.find(ESCAPE, place)) >= 0:
            if begin > place:
                yield self.style.name, text[place:begin]
            found = _SEQUENCE.match(text, begin)
            if found is None:
                if _BEGUN.match(text, begin) and len(text) - begin < LONGEST:
                    self._rest = text[begin:]
                    return
                place = begin + 1
                continue
            if found["final"] == "m":
                self.style = _applied(self.style, found["parameters"])
            place = found.end()
        if place < len(text):
            yield self.style.name, text[place:]


def _applied(style: Style, parameters: str) -> Style:
    """Return a style after an SGR sequence (ECMA-48, 8.3.117)."""
    codes = [int(code) if code.isdigit() else 0 for code in re.split("[;:]", parameters)[:32]]
    position = 0
    while position < len(codes):
        code = codes[position]
        position += 1
        if code == 0:
            style = PLAIN
        elif code in _WEIGHTS:
            style = style._replace(weights=style.weights | {_WEIGHTS[code]})
        elif code in _ENDS:
            style = style._replace(weights=style.weights - set(_ENDS[code]))
        elif code in (38, 48):
            colour, used = _extended(codes[position:])
            position += used
            style = style._replace(**{"foreground" if code == 38 else "background": colour})
        else:
            style = _coloured(style, code)
    return style


def _coloured(style: Style, code: int) -> Style:
    for first, change in ((30, "foreground"), (40, "background")):
        if first <= code < first + 8:
            return style._replace(**{change: code - first})
        if code == first + 9:
            return style._replace(**{change: None})
        if first + 60 <= code < first + 68:
            return style._replace(**{change: code - first - 60 + 8})
    return style


def _extended(codes: list[int]) -> tuple[int | None, int]:
    """Return the nearest of 16 colours to ``5;n`` or ``2;r;g;b``, and how many codes it took."""
    if len(codes) >= 2 and codes[0] == 5:
        return _of_256(codes[1]), 2
    if len(codes) >= 4 and codes[0] == 2:
        return _nearest(codes[1], codes[2], codes[3]), 4
    return None, len(codes)


def _of_256(number: int) -> int:
    if number < 16:
        return number
    if number < 232:
        cube = number - 16
        return _nearest(_CUBE[cube // 36 % 6], _CUBE[cube // 6 % 6], _CUBE[cube % 6])
    grey = 8 + (number - 232) * 10
    return _nearest(grey, grey, grey)


def _nearest(red: int, green: int, blue: int) -> int:
    wanted = (red, green, blue)
    return min(range(16), key=lambda number: sum((a - b) ** 2 for a, b in zip(_BASIC[number], wanted, strict=True)))
