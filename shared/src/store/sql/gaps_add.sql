-- Stores offsets that progress passes without a record, in the transaction that advances over them.
-- Arguments: arrays with one entry per gap: $1 topic, $2 partition, $3 incarnation, $4 first
-- offset, $5 offset behind the last.
-- Result: rows affected.
INSERT INTO progress_gaps (topic, partition, incarnation, from_offset, until_offset, replayed_until)
SELECT w.topic, w.partition, w.incarnation, w.from_offset, w.until_offset, w.from_offset
FROM UNNEST($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[])
     AS w (topic, partition, incarnation, from_offset, until_offset)
