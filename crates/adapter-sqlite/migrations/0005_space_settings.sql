-- What a space has settled for all its webhooks. A change of it is a row of `changes` with an empty webhook.
CREATE TABLE space_settings (
    space   TEXT    PRIMARY KEY,
    version INTEGER NOT NULL,
    body    BLOB    NOT NULL       -- wire form
) STRICT, WITHOUT ROWID;
