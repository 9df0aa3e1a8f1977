-- What people set up. Instants are Unix milliseconds.

CREATE TABLE spaces (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    environments TEXT    NOT NULL, -- a JSON array of ids
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    sha256     BLOB    NOT NULL UNIQUE,
    prefix     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    space      TEXT,               -- NULL: every space
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE webhooks (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    space   TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    body    BLOB    NOT NULL,      -- wire form
    UNIQUE (space, id)
) STRICT;
CREATE INDEX webhooks_newest ON webhooks (space, seq);

-- One row per change of a webhook; its number is the global version. The last 10,000 are kept.
CREATE TABLE changes (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    space   TEXT    NOT NULL,
    webhook TEXT    NOT NULL
) STRICT;

-- Contents too large to travel with a message.
CREATE TABLE bodies (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    day     INTEGER NOT NULL,      -- days since 1970-01-01
    sha256  BLOB    NOT NULL,
    content BLOB    NOT NULL,      -- wire form
    UNIQUE (day, sha256)
) STRICT;
