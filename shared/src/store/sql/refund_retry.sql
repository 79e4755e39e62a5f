-- refused -> to_refund, under another key: the provider may answer the old one from memory.
-- Arguments: $1 id. Result: rows affected.
UPDATE refunds
SET state = 'to_refund', round = round + 1, attempts = 0, due_at = now(), ended_at = NULL
WHERE id = $1 AND state = 'refused'
