-- The log, in one partition a day (days since 1970-01-01 in UTC), made ahead by the binary. The default partitions take
-- what belongs to no day that has one: what outlived its day. Instants are Unix milliseconds; ids of deliveries and calls
-- are the 16 bytes of their UUIDs; states are the words of `DeliveryState`.

CREATE TABLE events (
    day         integer NOT NULL,  -- of acceptance
    space       text    NOT NULL,
    id          text    NOT NULL,
    head        bytea   NOT NULL,  -- wire form
    decisions   bytea,             -- wire form; NULL until the record of its matching is here
    unlisted    bigint  NOT NULL DEFAULT 0,
    body_sha256 bytea,             -- where the content is, when it was too large to travel
    body_day    integer,
    body_length bigint,
    content     bytea,             -- wire form, when it was not
    PRIMARY KEY (space, id, day)
) PARTITION BY RANGE (day);
CREATE INDEX events_by_body ON events (body_day, body_sha256) WHERE body_sha256 IS NOT NULL;
CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE TABLE deliveries (
    day           integer NOT NULL, -- its event's
    id            bytea   NOT NULL,
    space         text    NOT NULL,
    environment   text    NOT NULL,
    event         text    NOT NULL,
    type          text    NOT NULL,
    action        text    NOT NULL,
    webhook       text    NOT NULL,
    generation    bigint  NOT NULL,
    state         text    NOT NULL,
    attempt       bigint  NOT NULL,
    next_at       bigint,
    reason        bytea,            -- UTF-8; bytes, because `text` refuses U+0000
    superseded_by bytea,
    updated_at    bigint  NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE INDEX deliveries_by_time ON deliveries (space, updated_at, id);
CREATE INDEX deliveries_by_webhook ON deliveries (space, webhook, updated_at, id);
CREATE INDEX deliveries_by_event ON deliveries (space, event, webhook, generation);
CREATE INDEX deliveries_pending ON deliveries (space, updated_at, id) WHERE state = 'pending';
CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT;

CREATE TABLE calls (
    day         integer NOT NULL,  -- of the call
    id          bytea   NOT NULL,
    space       text    NOT NULL,
    environment text    NOT NULL,
    event       text    NOT NULL,
    type        text    NOT NULL,
    action      text    NOT NULL,
    webhook     text    NOT NULL,
    state       text    NOT NULL,
    started_at  bigint  NOT NULL,
    record      bytea   NOT NULL,  -- wire form
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE INDEX calls_by_time ON calls (space, started_at, id);
CREATE INDEX calls_by_webhook ON calls (space, webhook, started_at, id);
CREATE INDEX calls_by_event ON calls (space, event);
CREATE TABLE calls_default PARTITION OF calls DEFAULT;

-- Contents too large to travel with a message.
CREATE TABLE bodies (
    day     integer NOT NULL,
    sha256  bytea   NOT NULL,
    content bytea   NOT NULL,      -- wire form
    PRIMARY KEY (day, sha256)
) PARTITION BY RANGE (day);
CREATE TABLE bodies_default PARTITION OF bodies DEFAULT;
