-- order-create, statement 4, first half: the seats that were refused, and their holders.
-- Arguments: as of create_seats. Result: one row per refused seat: order_number, the holder's
-- number and nonce (both null if the holder has just freed it; the seat is refused all the same).
SELECT w.order_number, h.number AS holder, h.nonce AS holder_nonce
FROM UNNEST($1::bigint[], $2::int[], $3::bigint[]) AS w (program, seat, order_number)
LEFT JOIN order_seats s ON s.program = w.program AND s.seat = w.seat
LEFT JOIN orders h ON h.number = s.order_number
WHERE s.order_number IS DISTINCT FROM w.order_number
ORDER BY w.order_number, h.number
