-- The orders that the rejected duplicates of this transaction duplicate.
-- Arguments: $1 numbers of the duplicates. Result: order_number, the holder's number and nonce; no
-- row if none is named.
SELECT o.number AS order_number, h.number AS holder, h.nonce AS holder_nonce
FROM orders o JOIN orders h ON h.number = o.duplicate_of
WHERE o.number = ANY ($1::bigint[])
