-- Postgres' own time at the start of the transaction: the clock that decides every pay_by.
-- Arguments: none. Result: milliseconds since 1970.
SELECT epoch_ms(now())
