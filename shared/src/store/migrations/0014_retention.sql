-- Retention. Ended orders are found in the order of their numbers, which contain their times.

CREATE INDEX orders_ended ON orders (number) WHERE status IN ('cancelled', 'closed', 'rejected', 'void', 'refunded');
CREATE INDEX payments_refunded ON payments (received_at) WHERE status = 'refunded';
