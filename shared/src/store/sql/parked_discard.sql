-- parked -> discarded, unless a replay is running. Deletes nothing.
-- Arguments: $1 id, $2 who, $3 why. Result: rows affected.
UPDATE parked SET state = 'discarded', discarded_at = now(), discarded_by = $2, discarded_why = $3
WHERE id = $1 AND state = 'parked' AND (busy_until IS NULL OR busy_until <= now())
