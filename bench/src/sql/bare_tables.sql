-- The same tables and indexes that order-create writes, empty and under other names. Run once in
-- the environment's schema.
CREATE TABLE bare_orders (LIKE orders INCLUDING ALL);
CREATE TABLE bare_order_seats (LIKE order_seats INCLUDING ALL)
