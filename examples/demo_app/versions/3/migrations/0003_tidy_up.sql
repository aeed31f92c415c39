-- It breaks at its last statement, when the harm is done.
ALTER TABLE orders DROP COLUMN price_cents;
DELETE FROM orders WHERE id % 2 = 0;
UPDATE orders SET customer = 'somebody';
DROP TABLE prices;
INSERT INTO invoices (order_id) SELECT id FROM orders;
