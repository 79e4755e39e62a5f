-- The version of a program.
-- Arguments: $1 id. Result: one row, or none if there is no such program.
SELECT version FROM programs WHERE id = $1
