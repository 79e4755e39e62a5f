-- Every category, with the shape of its seat map. Result: program text, no, first_seat,
-- rows, row_len int8.
SELECT program::text, no::int8, first_seat::int8, rows::int8, row_len::int8
FROM categories ORDER BY program, no
