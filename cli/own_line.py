"""The command line of this process, as ``ps`` shows it: values of settings are overwritten before anything is done.

Linux shows the memory in which the arguments were laid down at the start, and that a process may write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

OWN = Path("/proc/self")
STAR = b"*"
_ARGUMENTS = 45
"""Place of where the arguments begin among the fields of ``/proc/self/stat`` (proc(5): 48) behind the name."""

_VALUED = re.compile(
    rb"(--(?:[A-Z][A-Z0-9_]+|plaintext|password|token)=|(?:--[a-z][a-z_-]*=|-e)?[A-Za-z_][A-Za-z0-9_]*=)(.+)", re.DOTALL
)
_FROM = re.compile(rb"--[a-z_-]+[_-]from(?:=.*)?", re.DOTALL)
_NAME = re.compile(rb"--(?:[A-Z][A-Z0-9_]+|plaintext|password|token)")


def hide() -> None:
    """Overwrite values of settings in what other processes see of the command line; as well as the system lets it."""
    try:
        shown = (OWN / "cmdline").read_bytes()
        words = shown.split(b"\0")
        instead = b"\0".join(hidden(words))
        if instead == shown:
            return
        begin = int((OWN / "stat").read_bytes().rpartition(b")")[2].split()[_ARGUMENTS])
        with (OWN / "mem").open("r+b", buffering=0) as memory:
            memory.seek(begin)
            memory.write(instead)
    except (OSError, ValueError, IndexError):
        return  # not Linux, or a system that does not let it: the options that keep values off the line are there


def hidden(words: Sequence[bytes]) -> list[bytes]:
    """Return words of a command line, of the same lengths, with stars for values.

    Examples
    --------
    >>> hidden([b"job:create", b"--env", b"PIN=1234", b"--config=A=b", b"--BANK_TOKEN", b"abc", b"--format=json"])
    [b'job:create', b'--env', b'PIN=****', b'--config=A=*', b'--BANK_TOKEN', b'***', b'--format=json']
    """
    found: list[bytes] = []
    before = b""
    for word in words:
        match = _VALUED.fullmatch(word)
        if _FROM.fullmatch(word) or _FROM.fullmatch(before):
            found.append(word)
        elif match is not None:
            found.append(match[1] + STAR * len(match[2]))
        elif _NAME.fullmatch(before) and not word.startswith(b"--"):
            found.append(STAR * len(word))
        else:
            found.append(word)
        before = word
    return found
