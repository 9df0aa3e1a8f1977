-- The log, kept by day (days since 1970-01-01 in UTC). Instants are Unix milliseconds; ids of deliveries and calls are
-- the 16 bytes of their UUIDs; states are the words of `DeliveryState`.

CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    day         INTEGER NOT NULL,  -- of acceptance
    space       TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    head        BLOB    NOT NULL,  -- wire form
    decisions   BLOB,              -- wire form; NULL until the record of its matching is here
    unlisted    INTEGER NOT NULL DEFAULT 0,
    body_sha256 BLOB,              -- where the content is, when it was too large to travel
    body_day    INTEGER,
    body_length INTEGER,
    content     BLOB,              -- wire form, when it was not
    UNIQUE (space, id, day)
) STRICT;
CREATE INDEX events_by_day ON events (day);
CREATE INDEX events_by_body ON events (body_day, body_sha256) WHERE body_sha256 IS NOT NULL;

CREATE TABLE deliveries (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    day           INTEGER NOT NULL, -- its event's
    id            BLOB    NOT NULL,
    space         TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    event         TEXT    NOT NULL,
    type          TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    webhook       TEXT    NOT NULL,
    generation    INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    attempt       INTEGER NOT NULL,
    next_at       INTEGER,
    reason        TEXT,
    superseded_by BLOB,
    updated_at    INTEGER NOT NULL,
    UNIQUE (day, id)
) STRICT;
CREATE INDEX deliveries_by_time ON deliveries (space, updated_at, id);
CREATE INDEX deliveries_by_webhook ON deliveries (space, webhook, updated_at, id);
CREATE INDEX deliveries_by_state ON deliveries (space, state, updated_at, id, generation);
CREATE INDEX deliveries_by_event ON deliveries (space, event, webhook, generation);

-- The first two indexes hold everything a list can be filtered by, so that a list reads only the records it shows.
CREATE TABLE calls (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    day          INTEGER NOT NULL, -- of the call
    id           BLOB    NOT NULL,
    space        TEXT    NOT NULL,
    environment  TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    webhook      TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    started_at   INTEGER NOT NULL,
    record       BLOB    NOT NULL, -- wire form
    UNIQUE (day, id)
) STRICT;
CREATE INDEX calls_by_time ON calls (space, started_at, id, environment, type, action, state);
CREATE INDEX calls_by_webhook ON calls (space, webhook, started_at, id, environment, type, action, state);
CREATE INDEX calls_by_event ON calls (space, event);
