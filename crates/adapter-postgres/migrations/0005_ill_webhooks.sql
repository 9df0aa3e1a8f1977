-- Webhooks that are not well. There is no row for one that is, so the table stays small. Instants are Unix milliseconds.
CREATE TABLE ill_webhooks (
    space       text    NOT NULL,
    webhook     text    NOT NULL,
    ill         text    NOT NULL,   -- failing, disabled
    at          bigint  NOT NULL,
    since       bigint  NOT NULL,
    version     bigint  NOT NULL,   -- of the webhook
    reason      text    NOT NULL,
    last_status integer,
    told        boolean NOT NULL,
    PRIMARY KEY (space, webhook)
);
