-- What lets every list answer at once over a long log (docs/benchmarks.md), and the balance without counting.
--
-- The walks of `log/pages.rs`: rows that share a value, newest first, with everything else that a list can be narrowed by,
-- so that only the rows that are shown are read. Rows of `deliveries` are small and lie nearly in the order of two of its
-- indexes, which stay as they are. Of a column where most rows say the same, the index holds the others:
-- whoever asks for the common ones finds them everywhere.

DROP INDEX calls_by_time;
CREATE INDEX calls_by_time ON calls (space, started_at, id) INCLUDE (day, environment, type, action, state);
DROP INDEX calls_by_webhook;
CREATE INDEX calls_by_webhook ON calls (space, webhook, started_at, id)
    INCLUDE (day, environment, type, action, state);
CREATE INDEX calls_by_state ON calls (space, state, started_at, id)
    INCLUDE (day, webhook, environment, type, action) WHERE state <> 'delivered';
CREATE INDEX calls_by_type ON calls (space, type, started_at, id)
    INCLUDE (day, webhook, environment, action, state) WHERE type <> 'Entry';
CREATE INDEX calls_by_action ON calls (space, action, started_at, id)
    INCLUDE (day, webhook, environment, type, state) WHERE action NOT IN ('publish', 'save', 'auto_save');
CREATE INDEX calls_by_environment ON calls (space, environment, started_at, id)
    INCLUDE (day, webhook, type, action, state) WHERE environment <> 'master';

DROP INDEX deliveries_pending;
CREATE INDEX deliveries_by_state ON deliveries (space, state, updated_at, id)
    INCLUDE (day, webhook, environment, type, action) WHERE state <> 'delivered';
CREATE INDEX deliveries_by_type ON deliveries (space, type, updated_at, id)
    INCLUDE (day, webhook, environment, action, state) WHERE type <> 'Entry';
CREATE INDEX deliveries_by_action ON deliveries (space, action, updated_at, id)
    INCLUDE (day, webhook, environment, type, state) WHERE action NOT IN ('publish', 'save', 'auto_save');
CREATE INDEX deliveries_by_environment ON deliveries (space, environment, updated_at, id)
    INCLUDE (day, webhook, type, action, state) WHERE environment <> 'master';

-- How many deliveries of generation 0 stand in each state. Triggers keep it, so that it is right whichever release writes.
-- A row is a part of the sum: each writing connection has a slot, and two with the same one take turns, so that nobody
-- waits for another in the midst of a transaction.
CREATE TABLE delivery_counts (
    space text    NOT NULL,
    day   integer NOT NULL,
    slot  integer NOT NULL,
    state text    NOT NULL,
    count bigint  NOT NULL,      -- may be negative in one slot
    PRIMARY KEY (space, day, slot, state)
) WITH (fillfactor = 50);

CREATE FUNCTION count_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    own integer := pg_backend_pid() % 64;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT 1 FROM after) THEN RETURN NULL; END IF;
        PERFORM pg_advisory_xact_lock(1668247156, own);  -- "coun" in ASCII
        INSERT INTO delivery_counts AS c
            SELECT space, day, own, state, count(*) FROM after WHERE generation = 0
            GROUP BY space, day, state ORDER BY space, day, state
            ON CONFLICT (space, day, slot, state) DO UPDATE SET count = c.count + excluded.count;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT 1 FROM after) THEN RETURN NULL; END IF;
        PERFORM pg_advisory_xact_lock(1668247156, own);
        INSERT INTO delivery_counts AS c
            SELECT space, day, own, state, sum(n) FROM (
                SELECT space, day, state, 1 AS n FROM after WHERE generation = 0
                UNION ALL SELECT space, day, state, -1 FROM before WHERE generation = 0) changes
            GROUP BY space, day, state HAVING sum(n) <> 0 ORDER BY space, day, state
            ON CONFLICT (space, day, slot, state) DO UPDATE SET count = c.count + excluded.count;
    ELSE
        PERFORM pg_advisory_xact_lock(1668247156, own);
        INSERT INTO delivery_counts AS c
            SELECT space, day, own, state, -count(*) FROM before WHERE generation = 0
            GROUP BY space, day, state ORDER BY space, day, state
            ON CONFLICT (space, day, slot, state) DO UPDATE SET count = c.count + excluded.count;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_inserted AFTER INSERT ON deliveries REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_deliveries();
CREATE TRIGGER count_updated AFTER UPDATE ON deliveries REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION count_deliveries();
CREATE TRIGGER count_deleted AFTER DELETE ON deliveries REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION count_deliveries();
-- Retention sweeps the default partition by its own name, of which the table above it does not hear.
CREATE TRIGGER count_deleted AFTER DELETE ON deliveries_default REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION count_deliveries();

INSERT INTO delivery_counts
    SELECT space, day, 0, state, count(*) FROM deliveries WHERE generation = 0 GROUP BY space, day, state;
