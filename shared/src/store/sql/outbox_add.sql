-- Adds a program change to publish, in the transaction that makes it.
-- Arguments: $1 program, $2 version. Result: none.
INSERT INTO outbox (program, version) VALUES ($1, $2)
