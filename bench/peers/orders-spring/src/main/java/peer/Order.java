package peer;

import com.fasterxml.jackson.annotation.JsonProperty;

/** The message between the two parts of the sale. */
record Order(
    int v,
    String order,
    String nonce,
    String user,
    String program,
    int category,
    int[] seats,
    @JsonProperty("unit_price_cents") long unitPriceCents,
    @JsonProperty("amount_cents") long amountCents,
    @JsonProperty("idempotency_key") String idempotencyKey,
    @JsonProperty("pay_by_ms") long payByMs,
    String trace) {}
