"""Companies suspended, archived, brought back and removed on the command line, and the applications they have."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


@pytest.mark.usefixtures("template")
def test_suspending_tells_what_depends_on_the_company_and_stops_its_schedule(cli: Cli) -> None:
    answer = cli.json("company:suspend", "1", "--reason", "Not paid")
    assert (answer["enabled"], answer["dependents"]["scheduled"], answer["dependents"]["templates"]) == (False, 1, 1)
    assert cli.json("run-template:get", "1")["next_schedule"] is None
    assert "already; nothing was changed" in cli("company:suspend", "1", "--reason", "Not paid").out
    assert "1 of its run templates is due again" in cli("company:restore", "1").out
    assert cli.json("run-template:get", "1")["next_schedule"] is not None
    assert cli.json("company:restore", "1")["changed"] is False


@pytest.mark.usefixtures("template")
def test_an_archived_company_leaves_the_lists_and_can_be_restored(cli: Cli) -> None:
    said = cli("company:archive", "1").out
    assert said == (
        "Company 1 is in the archive. What depends on it: 1 run template with a schedule, 1 run template.\n"
    )
    assert cli.json("company:list") == []
    assert [row["archived"] for row in cli.json("company:list", "--archived")] == [True]
    cli.json("company:restore", "1")
    assert [row["id"] for row in cli.json("company:list")] == [1]
    assert "There is no company 9" in cli("company:archive", "9").err


@pytest.mark.usefixtures("template")
def test_removing_tells_first_what_goes_with_the_company(cli: Cli) -> None:
    dry = cli.json("company:remove", "1", "--dry-run")
    assert (dry["removed"], dry["dependents"]["templates"]) == (False, 1)
    refused = cli.json("company:remove", "1", code=1)
    assert "has 1 run templates. Remove them first" in refused["message"]
    assert cli.json("company:remove", "1", "--cascade") == {"company_id": 1, "removed": True}
    assert cli.json("run-template:list") == []
