-- Which life of the broker's disk this is, and how far the putting back of open deliveries has come.

CREATE TABLE broker_epoch (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch   bytea  NOT NULL,
    seen_at bigint NOT NULL          -- last seen in the broker
);

CREATE TABLE reconciliations (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              bytea   NOT NULL UNIQUE,
    cause           text    NOT NULL,
    asked_at        bigint  NOT NULL,
    until           bigint  NOT NULL, -- only what last changed before
    due_before      bigint,
    began_at        bigint,
    -- The last delivery that was looked at.
    place_space     text,
    place_parked    boolean,
    place_at        bigint,
    place_id        bytea,
    put_back        bigint  NOT NULL,
    without_content bigint  NOT NULL,
    missing_ms      bigint,
    ended_at        bigint,
    refused         text
);
-- One at a time.
CREATE UNIQUE INDEX reconciliations_open ON reconciliations ((true)) WHERE ended_at IS NULL;
