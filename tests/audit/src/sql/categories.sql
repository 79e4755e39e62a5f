-- Every category, with what its seat map must look like. Result: program text, no, first_seat, rows, row_len int8.
SELECT program::text, no::int8, first_seat::int8, rows::int8, row_len::int8 FROM categories ORDER BY program, no
