-- Where a round of the sweep goes on.
-- Arguments: $1 name of the round. Result: one row, the position as it was noted; none before the first.
SELECT position FROM sweep_positions WHERE round = $1
