r"""The forms in which a program may write a text that it was given: as it is, and in common encodings.

===================  ==========================================================================================
as it is             UTF-8; of a text of several lines, each long line by itself
percent-encoding     RFC 3986, and as forms, JavaScript, PHP and Python do it; digits in large or small letters
JSON                 with and without ``\u`` for what is not ASCII, with ``\/``, and with ``\u003c`` for ``<``
HTML and XML         quotes as names or numbers, or as they are
base64               also base64url, with and without padding, alone or within a longer text
hex                  in large or small digits
===================  ==========================================================================================

What is encoded twice, compressed, encrypted or reversed is none of these. Of base64 that is broken into lines, only
that of the value alone is.
"""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 3
"""Bytes below which a value is too short to be looked for: it would blot out ordinary text."""

SHORTEST_ENCODED = 4
"""Bytes below which it is not looked for in base64 and hex, of which some output consists."""

SHORTEST_BASE64 = 6
"""Characters below which a form in base64 is not looked for: it would be found by chance."""

LONGEST_ENCODED = 16_384
"""Bytes above which a value is looked for as it is alone: the encoded forms of files would take too much memory."""

LONG_LINE = 12
"""Bytes from which a line of a value of several lines is looked for by itself: shorter ones may stand anywhere."""

LINES = (76, 64)
"""Characters of a line of base64, as ``base64`` (RFC 2045) and ``openssl`` (RFC 1421) write them."""

_ESCAPED = re.compile(rb"%[0-9A-F]{2}")
_UNICODE = re.compile(r"[<>&'\u2028\u2029]")


def forms(value: str) -> list[bytes]:
    r"""Return what a value may be written as, each form once.

    Examples
    --------
    >>> forms("p&p w")[:3]
    [b'p&p w', b'p%26p%20w', b'p%26p+w']
    >>> b"cCZwIHc=" in forms("p&p w"), b"7026702077" in forms("p&p w"), forms("ab")
    (True, True, [])
    """
    plain = value.encode(errors="surrogateescape")
    found = dict.fromkeys((plain, *_lines(plain)))
    if len(plain) <= LONGEST_ENCODED:
        found |= dict.fromkeys(_escaped(value, plain))
        if len(plain) >= SHORTEST_ENCODED:
            found |= dict.fromkeys((plain.hex().encode(), plain.hex().upper().encode()))
            found |= dict.fromkeys(form for form in _base64(plain) if len(form) >= SHORTEST_BASE64)
    return [form for form in found if len(form) >= SHORTEST]


def _lines(plain: bytes) -> list[bytes]:
    lines = [line.strip() for line in plain.splitlines()]
    return [line for line in lines if len(line) >= LONG_LINE] if len(lines) > 1 else []


def _escaped(value: str, plain: bytes) -> Iterator[bytes]:
    """Give the forms that differ from the value in single characters only."""
    for safe in ("", "/", "!'()*~", "/:@!$&'()*+,;=~"):
        for encoded in (quote(plain, safe), quote_plus(plain, safe)):
            yield encoded.encode()
            yield _ESCAPED.sub(lambda match: match[0].lower(), encoded.encode())
    yield quote_plus(plain).replace("~", "%7E").encode()
    for ascii_only in (False, True):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        for written in (text, _UNICODE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)):
            yield written.encode(errors="surrogateescape")
            yield written.replace("/", "\\/").encode(errors="surrogateescape")
    quoted = html.escape(value)
    numbered = quoted.replace("&#x27;", "&#039;"), quoted.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    for escaped in (quoted, *numbered, quoted.replace("&#x27;", "&apos;"), html.escape(value, quote=False)):
        yield escaped.encode(errors="surrogateescape")


def _base64(plain: bytes) -> Iterator[bytes]:
    """Give base64 of a text within a longer one, and at its end.

    Before the text may stand 0, 1 or 2 bytes more than a multiple of three; characters that depend on them, too, are
    left out. At the end stand padding or not, and before it the line break that ``echo`` adds or not.
    """
    for before in range(3):
        first = (before * 8 + 5) // 6
        for after in (b"", b"\n"):
            whole = base64.b64encode(bytes(before) + plain + after)[first:]
            bare = whole.rstrip(b"=")
            # The last character depends on what follows, unless it ends with the text.
            sure = bare if (before + len(plain) + len(after)) % 3 == 0 else bare[:-1]
            for form in (whole, bare, sure):
                yield form
                yield form.replace(b"+", b"-").replace(b"/", b"_")
    if len(plain) > 46:
        for after, width in itertools.product((b"", b"\n"), LINES):
            whole = base64.b64encode(plain + after)
            yield b"\n".join(whole[start : start + width] for start in range(0, len(whole), width))
