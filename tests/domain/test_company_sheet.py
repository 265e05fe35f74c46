"""Sheets of companies: what is read from them, and every place that is wrong told by line and column."""

from __future__ import annotations

import pytest

from domain.company_sheet import MOST_LINES, read

HEAD = (
    "name,code,ic,email,time_zone,application,interval,credential_type,credential.BANK_TOKEN,env.CITY,company_env.SHOP"
)


def told(text: str) -> list[tuple[int, str | None]]:
    return [(problem.line, problem.column) for problem in read(text).problems]


def test_a_line_says_all_of_a_company() -> None:
    sheet = read(f"{HEAD}\nAcme Corp,acme,27082440,a@acme.example,Europe/Vienna,Probe,daily,Bank,s3cret,Brno,one\n")
    assert sheet.problems == ()
    (line,) = sheet.lines
    assert line.template is not None
    assert (line.company.code, line.company.time_zone, line.company.environment) == (
        "acme", "Europe/Vienna", {"SHOP": "one"},
    )  # fmt: skip
    assert (line.application, line.template.interval, line.template.environment) == ("Probe", "d", {"CITY": "Brno"})
    assert (line.credential_type, line.values) == ("Bank", {"BANK_TOKEN": "s3cret"})
    assert "s3cret" not in repr(line)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_parted_as_the_first_line_parts_them(separator: str) -> None:
    rows = [["IČO", "Name", "E-mail"], ["27082440", '"Kůň; a, syn"', ""]]
    sheet = read("\ufeff" + "\r\n".join(separator.join(row) for row in rows) + "\r\n\r\n")
    assert [(line.company.name, line.company.registration_number) for line in sheet.lines] == [
        ("Kůň; a, syn", "27082440")
    ]


@pytest.mark.parametrize("separator", [";", ",", "|", "\t"])
def test_what_a_spreadsheet_program_adds_is_no_mistake(separator: str) -> None:
    lines = [["name", "code", "", ""], ["Acme, s. r. o.", "acme", "", "", ""], ["Beta", "", "", ""], ["", "", "", ""]]
    text = "\r\n".join([f"sep={separator}", *(separator.join(f'"{cell}"' for cell in line) for line in lines)])
    sheet = read("\ufeff" + text)
    assert sheet.problems == ()
    assert [(line.number, line.company.name, line.company.code) for line in sheet.lines] == [
        (3, "Acme, s. r. o.", "acme"),
        (4, "Beta", "beta"),
    ]
    assert [problem.line for problem in read("sep=;\nname;colour\nAcme;red").problems] == [2]
    assert [problem.line for problem in read("name;code\nAcme;acme;more").problems] == [2]


def test_every_problem_of_every_line_is_told_with_its_place() -> None:
    text = (
        f"{HEAD}\n"
        ",x,1,nobody,Europe/Prgue,Probe,whenever,Bank,t,,\n"
        '"Two\nlines",-bad-,1,,,,,,,,\n'
        "Acme,acme,,,,,d,,token,,\n"
        "Short,short\n"
        "Acme again,ACME,,,,Probe,c,,,,\n"
        "Good,good,,,,Probe,d,,,,\n"
        "Again,GOOD,,,,Probe,d,,,,\n"
    )
    assert told(text) == [
        (2, "name"), (2, "time_zone"), (2, "email"), (2, "interval"), (3, "name"), (3, "code"),
        (5, "interval"), (5, "credential.BANK_TOKEN"), (6, None), (7, "cron"), (9, "code"),
    ]  # fmt: skip


def test_what_there_is_always_cannot_be_taken_away() -> None:
    head = "name,time_zone,application,interval,credential_type,credential.TOKEN,note"
    assert told(f"{head}\nAcme,-,Probe,-,bank,-,-\n") == [(2, "credential.TOKEN"), (2, "interval"), (2, "time_zone")]
    assert told(f"{head}\n-,,Probe,,,,\n")[0] == (2, "name")
    assert told("name,note\nAcme,-\n") == [(2, "note")], "there is no run template without an application"


def test_what_is_told_never_repeats_a_value_of_a_credential() -> None:
    text = f"{HEAD}\nAcme,acme,,,,,,,hunter2,,\n"
    assert told(text)
    assert "hunter2" not in str(read(text).problems)


def test_a_value_that_credential_and_environment_both_give_is_refused() -> None:
    text = "name,application,credential_type,credential.TOKEN,env.TOKEN\nAcme,Probe,Bank,a,b\n"
    assert told(text) == [(2, "env.TOKEN")]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, "name", "missing"),
        ("name\n", 1, None, "no line below the header"),
        ("name,colour\nA,red\n", 1, "colour", "no such column"),
        ("name,intervall\nA,d\n", 1, "intervall", "Did you mean interval?"),
        ("name,name\nA,B\n", 1, "name", "twice"),
        ('name\n"A\n', 2, None, "cannot be read as CSV"),
        ("name,max_parallel\nA,many\n", 2, "max_parallel", "no whole number"),
        ("name\n会社\n", 2, "code", "Give one"),
        ("name\nA\x00B\n", 2, None, ""),
        ("name\n" + "x" * 200_000 + "\n", 2, None, ""),
        ("name,code\n" + "".join(f"A,c{n}\n" for n in range(MOST_LINES + 1)), MOST_LINES + 2, None, "Part the sheet"),
    ],
)
def test_a_sheet_that_is_none_is_refused_with_the_place(text: str, line: int, column: str | None, said: str) -> None:
    problem = read(text).problems[0]
    assert (problem.line, said in problem.message) == (line, True), problem
    assert column is None or problem.column == column
