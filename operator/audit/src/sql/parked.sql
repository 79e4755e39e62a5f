-- Every parked message. Result: place text (topic-partition@offset), reason text.
SELECT topic || '-' || partition || '@' || log_offset AS place, reason
FROM parked ORDER BY topic, partition, log_offset
