-- Changes a program if it has the expected version. A null argument leaves its column as it is.
-- Arguments: $1 id, $2 expected version, $3 title or null, $4 pay window ms or null, $5 limit of
-- tickets per user or null.
-- Result: the new version, only if this statement changed it.
UPDATE programs
SET title = COALESCE($3, title), pay_window_ms = COALESCE($4, pay_window_ms),
    user_limit = COALESCE($5, user_limit), version = version + 1
WHERE id = $1 AND version = $2
RETURNING version
