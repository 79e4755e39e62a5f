-- Waiting rooms: programs whose buyers order only after they were admitted.
-- Columns and invariants: docs/reference/postgres.md.

ALTER TABLE programs
    -- How many buyers a second the waiting room admits; null: the program has none. An earlier version of the functions neither reads nor writes it.
    ADD COLUMN admissions_per_second int CHECK (admissions_per_second BETWEEN 1 AND 500);
