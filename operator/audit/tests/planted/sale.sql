-- A finished sale of 2 rows of 4 seats at 1000 cents, limit 4 (sale_fixture.rs fills its gate):
-- seats 2 and 7 blocked, 101 paid (seats 0, 1), 102 paid (seat 2), 103 closed (seats 4, 5), 104 cancelled before it was
-- stored, a late payment for 103 that the provider has returned, and 300 cents of 102.
INSERT INTO programs (id, shard, user_limit) VALUES (7, 3, 4);
INSERT INTO categories VALUES (7, 0, 0, 2, 4);
INSERT INTO orders VALUES
    (101, decode(repeat('a1', 16), 'hex'), 'ann', 7, '{0,1}', 1000, 2000, 'k1', 'paid', false),
    (102, decode(repeat('b2', 16), 'hex'), 'bob', 7, '{2}', 1000, 1000, 'k2', 'paid', false),
    (103, decode(repeat('c3', 16), 'hex'), 'cid', 7, '{4,5}', 1000, 2000, 'k3', 'closed', false),
    (104, decode(repeat('d4', 16), 'hex'), 'dan', 7, NULL, NULL, NULL, NULL, 'void', false);
INSERT INTO order_seats VALUES (7, 0, 101), (7, 1, 101), (7, 2, 102);
INSERT INTO blocked_seats VALUES (7, 2), (7, 7);
INSERT INTO payments (reference, order_number, amount_cents, status, refund_cents, refunded_cents)
VALUES ('p1', 101, 2000, 'applied', 0, 0), ('p2', 102, 1000, 'applied', 300, 300),
    ('p3', 103, 2000, 'refunded', 2000, 2000);
INSERT INTO refunds (payment, amount_cents, of_order, state)
VALUES (3, 2000, false, 'refunded'), (2, 300, true, 'refunded')
