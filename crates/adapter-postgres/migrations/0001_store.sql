-- Says whose database this is. The generation grows only with a change that older binaries cannot work with; everything
-- else is an additive migration.
CREATE TABLE postrider (
    generation integer NOT NULL
);
INSERT INTO postrider VALUES (1);

-- What people set up. Instants are Unix milliseconds.

CREATE TABLE spaces (
    id           text   PRIMARY KEY,
    name         text   NOT NULL,
    environments text[] NOT NULL,
    created_at   bigint NOT NULL
);

CREATE TABLE tokens (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text   NOT NULL UNIQUE,
    sha256     bytea  NOT NULL UNIQUE,
    prefix     text   NOT NULL,
    name       text   NOT NULL,
    space      text,               -- NULL: every space
    role       text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

-- Where the webhooks of CMSs come in.
CREATE TABLE sources (
    space      text   NOT NULL,
    id         text   NOT NULL,
    name       text   NOT NULL,
    dialect    text   NOT NULL,
    secret     text   NOT NULL,    -- sealed
    created_at bigint NOT NULL,
    created_by text   NOT NULL,
    updated_at bigint NOT NULL,
    updated_by text   NOT NULL,
    PRIMARY KEY (space, id)
);

CREATE TABLE webhooks (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space   text   NOT NULL,
    id      text   NOT NULL,
    version bigint NOT NULL,
    body    bytea  NOT NULL,       -- wire form
    UNIQUE (space, id)
);
CREATE INDEX webhooks_newest ON webhooks (space, seq);

-- One row per change of a webhook; its number is the global version. The last 10,000 are kept.
CREATE SEQUENCE versions;
CREATE TABLE changes (
    version bigint PRIMARY KEY DEFAULT nextval('versions'),
    space   text   NOT NULL,
    webhook text   NOT NULL
);
