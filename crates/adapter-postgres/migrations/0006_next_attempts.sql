-- Deliveries that have a next attempt, by its instant: what waits, and until when. All others have none and are not in it.
-- Whether an attempt was made is asked among those in a state, so that index has it too.

CREATE INDEX deliveries_by_next ON deliveries (space, next_at, id)
    INCLUDE (day, webhook, environment, type, action, state, attempt, updated_at) WHERE next_at IS NOT NULL;
DROP INDEX deliveries_by_state;
CREATE INDEX deliveries_by_state ON deliveries (space, state, updated_at, id)
    INCLUDE (day, webhook, environment, type, action, attempt) WHERE state <> 'delivered';
