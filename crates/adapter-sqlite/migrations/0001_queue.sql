-- The file says whose it is: application_id is "PSTR" in ASCII (0x50535452). user_version is the generation of the
-- schema: it grows only with a change that older binaries cannot work with. Everything else is an additive migration.
PRAGMA application_id = 1347638354;
PRAGMA user_version = 1;

-- Every message that is not acknowledged. A row changes only when a delivery of it fails, so that handing out a large
-- body never rewrites it; what is ready and what is leased stands in the two narrow tables below.
CREATE TABLE messages (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    failures     INTEGER NOT NULL DEFAULT 0, -- rejected so often: parked at 20
    redeliveries INTEGER NOT NULL DEFAULT 0, -- handed out so often before
    suspect      INTEGER NOT NULL,           -- its publisher marked it
    trace_parent TEXT,
    trace_state  TEXT,
    body         BLOB    NOT NULL            -- wire form
) STRICT;

-- What may be handed out, in order. ready_at is in Unix milliseconds; 0 is "at once", so that a clock set back hides
-- nothing.
CREATE TABLE ready (
    queue    INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (queue, ready_at, seq)
) STRICT, WITHOUT ROWID;

-- What is handed out. One process uses the file, and a lease lives no longer than its holder: whatever stands here
-- when the file is opened was held by a process that died, and is ready again at once, as redelivered.
CREATE TABLE leases (
    seq      INTEGER PRIMARY KEY,
    queue    INTEGER NOT NULL,
    ready_at INTEGER NOT NULL
) STRICT;

-- What could not be processed, for a person.
CREATE TABLE parked (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    queue        TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    parked_at    INTEGER NOT NULL,
    deliveries   INTEGER NOT NULL,
    trace_parent TEXT,
    trace_state  TEXT,
    body         BLOB    NOT NULL
) STRICT;
