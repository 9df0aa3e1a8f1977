-- What lets every list answer at once over a long log (docs/benchmarks.md), and the balance without counting.
--
-- The walks of `log/walks.rs`: rows that share a value, newest first, with everything else that a list can be narrowed by,
-- so that only the rows that are shown are read. Of a column where most rows say the same, the index holds the others:
-- whoever asks for the common ones finds them everywhere.

CREATE INDEX calls_by_state ON calls (space, state, started_at, id, webhook, environment, type, action)
    WHERE state <> 'delivered';
CREATE INDEX calls_by_type ON calls (space, type, started_at, id, webhook, environment, action, state)
    WHERE type <> 'Entry';
CREATE INDEX calls_by_action ON calls (space, action, started_at, id, webhook, environment, type, state)
    WHERE action NOT IN ('publish', 'save', 'auto_save');
CREATE INDEX calls_by_environment ON calls (space, environment, started_at, id, webhook, type, action, state)
    WHERE environment <> 'master';

DROP INDEX deliveries_by_time;
CREATE INDEX deliveries_by_time ON deliveries (space, updated_at, id, environment, type, action, state);
DROP INDEX deliveries_by_webhook;
CREATE INDEX deliveries_by_webhook ON deliveries (space, webhook, updated_at, id, environment, type, action, state);
-- Whoever asks for a state that is not the common one; the balance is counted below.
DROP INDEX deliveries_by_state;
CREATE INDEX deliveries_by_state ON deliveries (space, state, updated_at, id, webhook, environment, type, action)
    WHERE state <> 'delivered';
CREATE INDEX deliveries_by_type ON deliveries (space, type, updated_at, id, webhook, environment, action, state)
    WHERE type <> 'Entry';
CREATE INDEX deliveries_by_action ON deliveries (space, action, updated_at, id, webhook, environment, type, state)
    WHERE action NOT IN ('publish', 'save', 'auto_save');
CREATE INDEX deliveries_by_environment ON deliveries (space, environment, updated_at, id, webhook, type, action, state)
    WHERE environment <> 'master';

-- How many deliveries of generation 0 stand in each state. Triggers keep it, so that it is right whichever release writes.
CREATE TABLE delivery_counts (
    space TEXT    NOT NULL,
    state TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (space, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER count_inserted AFTER INSERT ON deliveries WHEN NEW.generation = 0 BEGIN
    INSERT INTO delivery_counts VALUES (NEW.space, NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER count_updated AFTER UPDATE OF state ON deliveries
WHEN NEW.generation = 0 AND NEW.state <> OLD.state BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE space = OLD.space AND state = OLD.state;
    INSERT INTO delivery_counts VALUES (NEW.space, NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER count_deleted AFTER DELETE ON deliveries WHEN OLD.generation = 0 BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE space = OLD.space AND state = OLD.state;
END;

INSERT INTO delivery_counts SELECT space, state, COUNT(*) FROM deliveries WHERE generation = 0 GROUP BY space, state;
