"""Customers and servers on the command line, and the companies that refer to them."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


def test_a_customer_is_taken_in_changed_and_let_go(cli: Cli) -> None:
    made = cli.json("customer:create", "--name", "Jane Doe", "--email", "jane@example.org", "--phone", "+420 123")
    assert made == {"customer_id": 1}
    assert cli.json("customer:update", "1", "--phone", "", "--note", "Calls on Mondays")["updated"] is True
    assert cli.json("customer:update", "1", "--name", "Jane Doe")["updated"] is False
    shown = cli.json("customer:get", "1")
    assert (shown["name"], shown["email"], shown["phone"], shown["note"], shown["companies"]) == (
        "Jane Doe", "jane@example.org", None, "Calls on Mondays", [],
    )  # fmt: skip
    assert [row["name"] for row in cli.json("customer:list")] == ["Jane Doe"]
    assert cli.json("customer:remove", "1")["removed"] is True
    assert cli.json("customer:list") == []
    assert "There is no customer 1" in cli.json("customer:update", "1", "--name", "X", code=1)["message"]
    assert cli("customer:get", "1").code == 1


def test_a_server_is_put_down_changed_and_forgotten(cli: Cli) -> None:
    words = ("server:create", "--name", "Accounts", "--url", "https://accounts.example:5434/", "--type", "AbraFlexi")
    assert cli.json(*words) == {"server_id": 1}
    assert cli.json("server:update", "1", "--url", "https://new.example/", "--type", "")["updated"] is True
    shown = cli.json("server:get", "1")
    assert (shown["name"], shown["url"], shown["type"]) == ("Accounts", "https://new.example/", None)
    assert cli.json("server:remove", "1")["removed"] is True
    assert cli.json("server:list") == []


@pytest.mark.parametrize(
    ("words", "field", "said"),
    [
        (("customer:create", "--name", " "), "name", "missing"),
        (("customer:create", "--name", "A", "--email", "x"), "email", "no e-mail address"),
        (("server:create", "--name", "A", "--url", "nowhere"), "url", "no address"),
        (("server:create", "--name", "A", "--url", "https://jane:s3cret@a.example/"), "url", "holds a password"),
        (("company:create", "--name", "A", "--customer", "9"), "customer", "There is no customer 9"),
        (("company:create", "--name", "A", "--server", "9"), "server", "There is no server 9"),
    ],
)
def test_what_is_wrong_is_refused_with_the_option(cli: Cli, words: tuple[str, ...], field: str, said: str) -> None:
    answer = cli.json(*words, code=1)
    assert (answer["field"], said in answer["message"], "s3cret" in answer["message"]) == (field, True, False), answer


def test_what_companies_refer_to_stays_while_they_do(cli: Cli) -> None:
    cli.json("customer:create", "--name", "Jane Doe")
    cli.json("server:create", "--name", "Accounts", "--url", "https://accounts.example/")
    cli.json("company:create", "--name", "Acme", "--customer", "1", "--server", "1")
    assert cli.json("customer:get", "1")["companies"] == cli.json("server:get", "1")["companies"] == [1]
    for thing in ("customer", "server"):
        refused = cli.json(f"{thing}:remove", "1", code=1)
        assert f"1 companies refer to {thing} 1: 1." in refused["message"]
    cli.json("company:update", "1", "--customer", "", "--server", "")
    assert cli.json("company:get", "1")["customer"] is None
    for thing in ("customer", "server"):
        assert cli.json(f"{thing}:remove", "1")["removed"] is True


def test_names_of_customers_stand_in_no_table_in_clear(cli: Cli) -> None:
    import psycopg

    cli.json("customer:create", "--name", "Xanthippe Quux", "--email", "xanthippe@example.org")
    with psycopg.connect(cli.database.superuser_url, options="-c search_path=multiflexi") as connection:
        for table in ("customer", "events"):
            rows = connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t").fetchall()  # type: ignore[arg-type]
            assert rows
            assert all("Quux" not in row[0] and "xanthippe" not in row[0] for row in rows), table
