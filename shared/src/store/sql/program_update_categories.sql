-- Changes name or price of a program's categories. A null argument leaves its column as it is.
-- Arguments: $1 program; arrays with one entry per category: $2 number, $3 name or null, $4 price
-- in cents or null.
-- Result: the numbers of the categories that exist.
UPDATE categories c
SET name = COALESCE(w.name, c.name), price_cents = COALESCE(w.price_cents, c.price_cents)
FROM UNNEST($2::smallint[], $3::text[], $4::bigint[]) AS w (no, name, price_cents)
WHERE c.program = $1 AND c.no = w.no
RETURNING c.no
