-- Which life of the queues this is, and how far the putting back of open deliveries has come. Queue and store are one file
-- here, so that one is never there without the other.

-- Of the queues.
CREATE TABLE queue_epochs (
    epoch BLOB    PRIMARY KEY,
    kept  INTEGER NOT NULL           -- 0: only begun
) STRICT, WITHOUT ROWID;

-- Of the store.
CREATE TABLE broker_epoch (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    epoch   BLOB    NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE reconciliations (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              BLOB    NOT NULL UNIQUE,
    cause           TEXT    NOT NULL,
    asked_at        INTEGER NOT NULL,
    until           INTEGER NOT NULL, -- only what last changed before
    due_before      INTEGER,
    began_at        INTEGER,
    -- The last delivery that was looked at.
    place_space     TEXT,
    place_parked    INTEGER,
    place_at        INTEGER,
    place_id        BLOB,
    put_back        INTEGER NOT NULL,
    without_content INTEGER NOT NULL,
    missing_ms      INTEGER,
    ended_at        INTEGER,
    refused         TEXT
) STRICT;
-- One at a time.
CREATE UNIQUE INDEX reconciliations_open ON reconciliations (ended_at IS NULL) WHERE ended_at IS NULL;
