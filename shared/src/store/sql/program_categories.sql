-- Stores new categories of a program.
-- Arguments: $1 program; arrays with one entry per category: $2 number, $3 name, $4 first seat, $5
-- rows, $6 seats in a row, $7 price in cents.
INSERT INTO categories (program, no, name, first_seat, rows, row_len, price_cents)
SELECT $1, w.*
FROM UNNEST($2::smallint[], $3::text[], $4::int[], $5::int[], $6::int[], $7::bigint[]) AS w
