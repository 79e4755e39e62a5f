-- Switches the waiting room of a program on or off, or changes how fast it admits buyers.
-- Arguments: $1 id, $2 admissions per second; null: off. Result: the new version, only if this
-- statement changed it. Idempotent.
UPDATE programs SET admissions_per_second = $2, version = version + 1
WHERE id = $1 AND admissions_per_second IS DISTINCT FROM $2 RETURNING version
