-- Notes that a change of a program is to be published, in the transaction that makes it.
-- Arguments: $1 program, $2 version. Result: none.
INSERT INTO outbox (program, version) VALUES ($1, $2)
