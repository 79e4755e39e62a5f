-- The tables and indexes that order-create writes, empty and under other names. Run before each
-- measurement, in the environment's schema. Transactions of a peer that has ended may still hold
-- the old tables: the statements wait for them.
DROP TABLE IF EXISTS spring_orders, spring_order_seats;
CREATE TABLE spring_orders (LIKE orders INCLUDING ALL);
CREATE TABLE spring_order_seats (LIKE order_seats INCLUDING ALL)
