-- Who changed what and when: every event of configuration, and those of jobs that a person caused.
CREATE TABLE audit_trail (
    epoch       smallint    NOT NULL,
    xid         xid8        NOT NULL,
    position    bigint      NOT NULL,
    time        timestamptz NOT NULL,
    company_id  integer,
    stream      text        NOT NULL,
    version     integer     NOT NULL,
    type        text        NOT NULL,
    actor       text,
    source      text,
    correlation text,
    changes     jsonb       NOT NULL,
    PRIMARY KEY (epoch, xid, position)
);
CREATE INDEX audit_trail_company ON audit_trail (company_id, epoch, xid, position);
CREATE INDEX audit_trail_stream ON audit_trail (stream, version);

-- Folds events into audit_trail. Takes a batch in log order.
CREATE FUNCTION fold_audit_trail(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO audit_trail (epoch, xid, position, time, company_id, stream, version, type, actor, source, correlation, changes)
    SELECT b.epoch, b.xid, b.position, b.time, b.company_id, b.stream, b.version, b.type, b.meta->>'actor', b.meta->>'source',
           b.meta->>'correlation', b.data - 'definition'
      FROM unnest(batch) b
     WHERE b.type NOT IN ('OutputCaptured', 'OutputDropped')
       AND (NOT (b.type LIKE 'Job%' OR b.type LIKE 'Task%' OR b.type LIKE 'Due%') OR b.meta->>'actor' LIKE 'user:%');
END
$$;
