-- What somebody who may create roles has to run before this login can migrate, a statement a row: what roles.sql would have done.
WITH roles (name, place) AS (
    VALUES ('multiflexi_owner', 1), ('multiflexi_app', 2), ('multiflexi_scheduler', 3), ('multiflexi_executor', 4),
           ('multiflexi_projector', 5), ('multiflexi_daemon', 6), ('multiflexi_auditor', 7)
), members (name, member, place) AS (
    SELECT r.name, 'multiflexi_daemon', 10 + r.place FROM roles r WHERE r.place BETWEEN 3 AND 5
    UNION ALL
    SELECT r.name, current_user::text, 20 + r.place FROM roles r WHERE r.place IN (1, 2, 6, 7)
), how (privilege) AS (
    SELECT CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END
)
SELECT s.statement
  FROM (
    SELECT r.place, format('CREATE ROLE %I NOLOGIN;', r.name) AS statement FROM roles r WHERE to_regrole(r.name) IS NULL
    UNION ALL
    SELECT m.place, format('GRANT %I TO %I;', m.name, m.member)
      FROM members m, how h
     WHERE CASE WHEN to_regrole(m.name) IS NULL OR to_regrole(quote_ident(m.member)) IS NULL THEN true
                ELSE NOT pg_has_role(m.member::name, m.name, h.privilege) END
    UNION ALL
    SELECT 30, format('GRANT CREATE ON DATABASE %I TO multiflexi_owner;', current_database())
     WHERE CASE WHEN to_regrole('multiflexi_owner') IS NULL THEN true
                ELSE NOT has_database_privilege('multiflexi_owner', current_database(), 'CREATE') END) s
 ORDER BY s.place
