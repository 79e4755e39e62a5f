-- The position of a round of the sweep.
-- Arguments: $1 name of the round. Result: one row with the stored position; none before the first.
SELECT position FROM sweep_positions WHERE round = $1
