-- depends: 0005.tasks
-- Events that a projection could not take: see fold_or_skip(). A rebuild tries them anew.
CREATE TABLE skipped_events (
    projection text        NOT NULL,
    epoch      smallint    NOT NULL,
    xid        xid8        NOT NULL,
    position   bigint      NOT NULL,
    stream     text        NOT NULL,
    version    integer     NOT NULL,
    type       text        NOT NULL,
    error      text        NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, epoch, xid, position)
);
-- The app tells that there are some; what the error says may be of any company.
GRANT SELECT (projection, type, skipped_at) ON skipped_events TO multiflexi_app;
GRANT SELECT, INSERT ON skipped_events TO multiflexi_daemon;
GRANT SELECT ON skipped_events TO multiflexi_auditor;
