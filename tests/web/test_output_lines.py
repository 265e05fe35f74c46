"""Bytes of two channels to lines of styled text."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from eventstore.output import OutputChunk
from web.output.ansi import Parser
from web.output.lines import LONGEST_LINE, Assembler, Line, Place

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def chunk(version: int, data: bytes, channel: str = "stdout") -> OutputChunk:
    return OutputChunk(version, channel, 0, NOW, data)


def read(*chunks: tuple[str, bytes], place: Place | None = None) -> tuple[dict[int, Line], Assembler]:
    assembler = Assembler(place)
    lines: dict[int, Line] = {}
    for version, (channel, data) in enumerate(chunks, (place or Place()).version + 1):
        lines.update((line.number, line) for line in assembler.feed(chunk(version, data, channel)))
    return lines, assembler


def texts(*chunks: tuple[str, bytes]) -> list[str]:
    return [line.text for _, line in sorted(read(*chunks)[0].items())]


def test_channels_are_told_apart_and_an_open_line_goes_on() -> None:
    lines, _ = read(("stdout", b"half "), ("stderr", b"error\n"), ("stdout", b"whole\n"))
    assert [(line.channel, line.text) for _, line in sorted(lines.items())] == [("o", "half whole"), ("e", "error")]


def test_a_character_cut_by_the_end_of_a_chunk_is_whole() -> None:
    data = "Příliš žluťoučký kůň 🐎\n".encode()
    for cut in range(len(data)):
        assert texts(("stdout", data[:cut]), ("stdout", data[cut:])) == ["Příliš žluťoučký kůň 🐎"]


def test_bytes_that_are_no_utf8_are_shown_as_replacement() -> None:
    assert texts(("stdout", b"a\xffb\xc3\n")) == ["a\ufffdb\ufffd"]


def test_half_a_character_at_the_very_end_is_shown() -> None:
    _, assembler = read(("stdout", b"a\xc3"))
    assert [line.text for line in assembler.end()] == ["a\ufffd"]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"10%\r20%\r100%\n", ["100%"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"long\rab\n", ["ab"]),
        (b"done\r\n\n", ["done", ""]),
        (b"nul\x00bell\x07del\x7f\n", ["nul␀bell␇del␡"]),
        (b"tab\there\n", ["tab\there"]),
    ],
)
def test_control_characters(data: bytes, shown: list[str]) -> None:
    assert texts(("stdout", data)) == shown
    assert texts(*(("stdout", bytes([byte])) for byte in data)) == shown


def test_colours_and_weights_become_names() -> None:
    lines, _ = read(("stdout", b"\x1b[1;32mok\x1b[0m \x1b[38;5;196mred\x1b[39m \x1b[48;2;0;0;250mblue\x1b[m\n"))
    assert lines[0].runs == [("b f2", "ok"), ("", " "), ("f1", "red"), ("", " "), ("g4", "blue")]


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J", "\x1b[?25l", "\x1b[10;20H", "\x1b]0;title\x07", "\x1b]8;;https://x\x1b\\", "\x1b(B", "\x1b7",
        "\x1bc", "\x1bP1$r0m\x1b\\",
    ],
)  # fmt: skip
def test_sequences_that_are_no_style_vanish(sequence: str) -> None:
    for cut in range(len(sequence) + 1):
        parser = Parser()
        runs = [*parser.feed("a" + sequence[:cut]), *parser.feed(sequence[cut:] + "b")]
        assert "".join(text for _, text in runs) == "ab", cut


def test_html_stays_text() -> None:
    assert texts(("stdout", b"<script>alert(1)</script>&amp;\n")) == ["<script>alert(1)</script>&amp;"]


def test_a_line_without_end_is_broken_and_marked() -> None:
    lines, _ = read(("stdout", b"x" * (2 * LONGEST_LINE + 5)))
    assert [(len(line.text), line.continued) for _, line in sorted(lines.items())] == [
        (LONGEST_LINE, False), (LONGEST_LINE, True), (5, True),
    ]  # fmt: skip


def test_reading_on_from_any_place_gives_the_same_lines() -> None:
    """What an interrupted page is sent after its reconnection completes what it had, wherever the cut was."""
    chance = random.Random(7)
    pieces = [
        b"plain\n",
        b"\x1b[31mred",
        b"\x1b[0m\n",
        "žluť".encode()[:3],
        "žluť".encode()[3:],
        b"no end",
        b"\n",
        b"\r",
        b"10%",
    ]
    for _ in range(300):
        chunks = [(chance.choice(["stdout", "stderr"]), chance.choice(pieces)) for _ in range(12)]
        whole, _ = read(*chunks)
        cut = chance.randrange(len(chunks))
        before, first = read(*chunks[:cut])
        place = Place.parse(str(first.place))
        kept = {number: line for number, line in before.items() if number < place.lines}
        after, _ = read(*chunks[place.version :], place=place)
        both = {number: (line.channel, line.runs) for number, line in {**kept, **after}.items()}
        assert both == {number: (line.channel, line.runs) for number, line in whole.items()}
