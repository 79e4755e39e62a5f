-- handed_out -> refused: the provider will not refund it. An operator decides.
-- Arguments: $1 id, $2 token of the lease, $3 reason. Result: rows affected.
UPDATE refunds SET state = 'refused', token = NULL, ended_at = now(), answer = $3
WHERE id = $1 AND token = $2
