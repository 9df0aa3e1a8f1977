-- Where the webhooks of CMSs come in. Instants are Unix milliseconds.

CREATE TABLE sources (
    space      TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    dialect    TEXT    NOT NULL,
    secret     TEXT    NOT NULL,   -- sealed
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    PRIMARY KEY (space, id)
) STRICT, WITHOUT ROWID;
