-- Adds rows to a category of a program.
-- Arguments: $1 program, $2 number of the category, $3 how many rows it has then.
-- Result: rows affected: 0 if it has as many or more. Locks: the caller holds the program's row.
UPDATE categories SET rows = $3 WHERE program = $1 AND no = $2 AND rows < $3
