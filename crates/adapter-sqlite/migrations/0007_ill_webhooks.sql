-- Webhooks that are not well. There is no row for one that is, so the table stays small.
CREATE TABLE ill_webhooks (
    space       TEXT    NOT NULL,
    webhook     TEXT    NOT NULL,
    ill         TEXT    NOT NULL,  -- failing, disabled
    at          INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    version     INTEGER NOT NULL,  -- of the webhook
    reason      TEXT    NOT NULL,
    last_status INTEGER,
    told        INTEGER NOT NULL,
    PRIMARY KEY (space, webhook)
) STRICT, WITHOUT ROWID;
