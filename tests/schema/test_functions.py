"""Functions of the database show a session no more than its companies, whatever they are asked.

They are found in the catalogue: a new one that the web may execute needs a line here.
"""

from __future__ import annotations

import pytest

from projections.rebuild import rebuild
from projections.registry import ALL
from tests.schema.catalogue import as_role, as_superuser, relations, tables
from tests.schema.conftest import COMPANIES
from tests.schema.test_isolation import SHARED, companies_seen
from tests.testbed.postgres import Database

NO_READER = {
    "append_batch": "appends; tells of streams of others that they are there, as a conflict would",
    "artifacts_are_listed": "tells whether a read model has come to a job",
    "attach_partition": "changes the schema, which its owner alone may",
    "detached_events": "reads a table that its owner alone may",
    "drop_partition": "changes the schema, which its owner alone may",
    "event_digest": "computes",
    "fold_or_skip": "folds what it is given",
    "daemon_rights": "tells what daemons may do",
    "grant_daemons": "changes the schema, which its owner alone may",
    "isolate": "changes the schema, which its owner alone may",
    "judge_entries": "computes on what append_batch found",
    "keep_results": "writes what append_batch answers",
    "log_horizon": "names sessions, not rows; no web page shows their statements",
    "make_detached_partition": "changes the schema, which its owner alone may",
    "micros_of": "computes",
    "plain_words": "computes",
    "protect_read_model": "changes the schema, which its owner alone may",
    "readable_below": "computes",
    "refuse_retired_master": "is a trigger",
    "seal_partition": "changes the schema, which its owner alone may",
    "search_of": "computes",
    "sees_everything": "computes",
    "session_companies": "computes",
    "set_artifact_policies": "changes the schema, which its owner alone may",
    "set_daemon_rights": "changes the schema, which its owner alone may",
    "set_log_policies": "changes the schema, which its owner alone may",
    "set_policies": "changes the schema, which its owner alone may",
    "set_sign_in_policies": "changes the schema, which its owner alone may",
    "words_of": "computes",
    "words_of_definition": "computes",
}
"""Functions that answer no rows of companies, each with the reason."""

READERS = {
    "read_log": "SELECT company_id FROM read_log(1::smallint, '0'::xid8, 0, NULL, NULL, 100000, true, NULL, true)",
    "read_batch": """
        SELECT e.company_id FROM unnest(read_batch(1::smallint, '0'::xid8, 0, 100000, 0, 99, NULL, true)) e
    """,
    "newest_event": "SELECT (newest_event(1::smallint, true)).company_id",
    "credentials_of": """
        SELECT t.company_id FROM unnest(%(templates)s::integer[], %(companies)s::integer[]) t (id, company_id)
         WHERE credentials_of(t.id) IS NOT NULL
    """,
    "choose_jobs": """
        SELECT t.company_id
          FROM choose_jobs('{Native,Docker,Podman,Kubernetes,Azure}', 100000, '{}', now() + interval '9 years') c (id)
          JOIN unnest(%(jobs)s::integer[], %(of)s::integer[]) t (id, company_id) USING (id)
    """,
    "few_jobs": """
        SELECT t.company_id
          FROM unnest(few_jobs('{Native,Docker,Podman,Kubernetes,Azure}', 100000, '{}', now() + interval '9 years'))
               c (id)
          JOIN unnest(%(jobs)s::integer[], %(of)s::integer[]) t (id, company_id) USING (id)
    """,
    "company_page": "SELECT company_page(NULL, true, NULL, false, 100000, 0)",
    "run_template_page": """
        SELECT t.company_id FROM run_template_page(NULL, NULL, NULL, NULL, false, 100000, 0) p (id)
          JOIN unnest(%(templates)s::integer[], %(companies)s::integer[]) t (id, company_id) USING (id)
    """,
}
"""Functions that answer rows of companies, each with a statement that answers the companies of what it gives."""

FUNCTIONS = r"""
    SELECT p.proname FROM pg_proc p
     WHERE p.pronamespace = 'multiflexi'::regnamespace AND p.proname NOT LIKE 'fold\_%'
       AND has_function_privilege('multiflexi_app', p.oid, 'EXECUTE')
"""


def test_every_function_that_the_web_may_execute_is_named_here(furnished: Database) -> None:
    with as_superuser(furnished) as connection:
        there = {name for (name,) in connection.execute(FUNCTIONS).fetchall()}
    assert there - {*NO_READER, *READERS} == set()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(("companies", "own"), [("1001", {1001}), ("1002", {1002}), ("", set()), ("4711", set())])
def test_function_shows_the_companies_of_the_session_alone(
    furnished: Database, name: str, companies: str, own: set[int]
) -> None:
    everything = seen(furnished, name, "*")
    assert seen(furnished, name, companies) <= own
    if name not in ("newest_event", "credentials_of"):
        # Of the few jobs of a company alone few_jobs tells; of all of them together there are too many for it.
        assert everything >= set(COMPANIES) or name == "few_jobs", "there is nothing to be hidden"
        assert seen(furnished, name, companies) == own


def test_rebuilt_read_models_are_isolated_too(furnished: Database) -> None:
    rebuild(furnished.owner_url, [projection.name for projection in ALL])
    own = COMPANIES[1]
    with as_role(furnished, "app", str(own)) as connection:
        for table in tables(furnished):
            assert companies_seen(connection, table) <= ({own, None} if table in SHARED else {own}), table
        for table in ("run_template", "job", "events"):
            assert companies_seen(connection, table) == {own}
    unprotected = [
        name
        for name, leaf, kind, company, secured, _ in relations(furnished)
        if not leaf and kind in "rp" and company and not secured
    ]
    assert unprotected == []


def seen(database: Database, name: str, companies: str) -> set[int]:
    """Return the companies of the rows that a function answers a session."""
    with as_superuser(database) as connection:
        templates = connection.execute("SELECT id, company_id FROM run_template").fetchall()
        jobs = connection.execute("SELECT job_id, company_id FROM job_queue").fetchall()
    known = {
        "templates": [row[0] for row in templates], "companies": [row[1] for row in templates],
        "jobs": [row[0] for row in jobs], "of": [row[1] for row in jobs],
    }  # fmt: skip
    with as_role(database, "app", companies) as connection:
        rows = connection.execute(READERS[name].encode(), known).fetchall()
    return {row[0] for row in rows if row[0] is not None}
