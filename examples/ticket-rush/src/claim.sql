-- Takes the environment named $1 for this session, until the session ends.
-- One row: whether it was taken; false where another session has it. Changes no table.
SELECT pg_try_advisory_lock(hashtextextended('ticket-rush environment ' || $1, 0))
