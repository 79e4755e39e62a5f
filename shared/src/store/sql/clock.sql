-- The clock of Postgres at the start of the transaction. It decides every pay_by.
-- Arguments: none. Result: milliseconds since 1970.
SELECT epoch_ms(now())
