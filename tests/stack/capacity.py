"""Quotas, connections and costs, computed from template.yaml. `python capacity.py` writes the tables of docs/reference/capacity.md.

Prices are list prices of us-east-1 in US dollars. They change: correct PRICES and run this file again.
"""

import math
import re
import sys

import documents

PAGE = documents.ROOT / "docs/reference/capacity.md"

# Functions that connect to PostgreSQL, Redis (gate and cache) and Kafka, by what their programs open.
POSTGRES = {"Storefront", "StorefrontLookups", "StorefrontPayments", "StorefrontOperators", "OrderCreate", "ApiDataCollector", "TimeoutCloser"}
GATE = {"Storefront", "StorefrontLookups", "StorefrontPayments", "StorefrontOperators", "OrderCreate", "TimeoutCloser"}
CACHE = {"Storefront", "StorefrontLookups", "StorefrontPayments", "StorefrontOperators", "TimeoutCloser", "StreamBridge", "CacheInvalidator"}
KAFKA = {"Storefront", "StorefrontLookups", "StorefrontPayments", "StorefrontOperators"}
BROKERS = 3

PRICES = {
    "lambda arm64, GB-second": 0.0000133334,
    "lambda, request": 0.20 / 1e6,
    "HTTP API, request": 1.00 / 1e6,
    "logs, GB": 0.50,
    "poller of a Kafka mapping, hour": 0.185,
    "endpoint in one zone, hour": 0.01,
    "kafka.m7g.large, hour": 0.204,
    "MSK storage, GB-month": 0.10,
    "cache.r7g.large, hour": 0.219,
    "Aurora capacity unit, hour": 0.12,
    "c7g.large, hour": 0.0725,
    "managed instances, part of the instance's price": 0.15,
}

# What one order costs in requests: the order, its payment, two look-ups. A request takes 15 ms of an instance: two to three times what the
# benchmark measures on one machine, for the network between zones.
REQUESTS = 4
SECONDS = 0.015
# Bytes of the access log and of the function's log for one request.
LOG_BYTES = 600
# Orders of one batch, and its time.
BATCH, BATCH_SECONDS = 500, 0.25
# Capacity units of Aurora for 1,000 stored orders/s, and at rest. An assumption until it is measured on Aurora.
ACU_PER_1000, ACU_AT_REST = 4, 2
RATES = (100, 1_000, 10_000)
HOURS = 730


def defaults():
    parameters = documents.template("template.yaml")["Parameters"]
    return {name: parameter.get("Default") for name, parameter in parameters.items()}


def functions():
    values = defaults()
    for name, resource in documents.template("template.yaml")["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function" or "CapacityProviderConfig" in resource["Properties"]:
            continue
        reserved = resource["Properties"]["ReservedConcurrentExecutions"]["Ref"]
        memory = resource["Properties"]["MemorySize"]["Ref"]
        yield name, reserved, int(values[reserved]), int(values[memory])


def connections():
    """Rows: function, reserved executions, connections to PostgreSQL, gate, cache and brokers at most."""
    of_one = int(defaults()["DatabaseConnections"])
    for name, _, reserved, _ in functions():
        postgres = 1 if name == "Migrate" else reserved * of_one * (name in POSTGRES)
        yield name, reserved, postgres, reserved * (name in GATE), reserved * (name in CACHE), reserved * BROKERS * (name in KAFKA)


def totals():
    rows = list(connections())
    return [sum(row[at] for row in rows) for at in range(1, 6)]


def instances(rate):
    """Instances of storefront at work at a time for orders alone."""
    return math.ceil(rate * SECONDS)


def memory_gb():
    return int(defaults()["StorefrontMemoryMb"]) / 1024


def variable(rate):
    """Dollars in an hour at a constant rate of orders."""
    requests = rate * 3600 * REQUESTS
    price = PRICES
    return {
        "HTTP API": requests * price["HTTP API, request"],
        "storefront, requests": requests * price["lambda, request"],
        "storefront, time": requests * SECONDS * memory_gb() * price["lambda arm64, GB-second"],
        "order-create": rate * 3600 / BATCH * (price["lambda, request"] + BATCH_SECONDS * memory_gb() * price["lambda arm64, GB-second"]),
        "logs": requests * LOG_BYTES / 1e9 * price["logs, GB"],
        "Aurora": (rate / 1000 * ACU_PER_1000) * price["Aurora capacity unit, hour"],
    }


def fixed():
    """Dollars in an hour at rest, with infra.yaml as it is."""
    values, price = defaults(), PRICES
    pollers = int(values["OrderCreateMinimumPollers"]) + int(values["ApiDataCollectorMinimumPollers"])
    infra = documents.expanded("infra.yaml")
    endpoints = [r for r in infra["Resources"].values() if r["Type"] == "AWS::EC2::VPCEndpoint" and "SubnetIds" in r["Properties"]]
    storage = 3 * infra["Parameters"]["KafkaStorageGib"]["Default"] / HOURS
    nodes = 2 * (1 + infra["Parameters"]["RedisReplicas"]["Default"])
    return {
        "MSK, three brokers": 3 * price["kafka.m7g.large, hour"] + storage * price["MSK storage, GB-month"],
        f"ElastiCache, {nodes} nodes": nodes * price["cache.r7g.large, hour"],
        "Aurora at rest": ACU_AT_REST * price["Aurora capacity unit, hour"],
        f"pollers of the Kafka mappings, {pollers}": pollers * price["poller of a Kafka mapping, hour"],
        f"endpoints, {len(endpoints)} in two zones": 2 * len(endpoints) * price["endpoint in one zone, hour"],
    }


def managed():
    """The fewest vCPUs of storefront's functions on managed instances, what they cost in an hour, and the rate from which on-demand time costs more."""
    price, values = PRICES, defaults()
    functions = sum(name.startswith("Storefront") for name, *_ in connections())
    vcpus = functions * int(values["ManagedMinimum"]) * int(values["ManagedMemoryMb"]) // 2048
    # A c7g.large has two.
    cost = vcpus * price["c7g.large, hour"] / 2 * (1 + price["managed instances, part of the instance's price"])
    of_one = REQUESTS * SECONDS * memory_gb() * price["lambda arm64, GB-second"] * 3600
    return vcpus, cost, cost / of_one


def table(head, rows):
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def sections():
    reserved, postgres, gate, cache, kafka = totals()
    rows = [tuple(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) for row in connections()]
    rows.append(("**all**", *(f"**{total:,}**" for total in (reserved, postgres, gate, cache, kafka))))
    yield "connections", table("| function | reserved executions | PostgreSQL | Redis, gate | Redis, cache | brokers |", rows)
    by_rate = [(rate, variable(rate)) for rate in RATES]
    rows = [(name, *(f"{costs[name]:,.2f}" for _, costs in by_rate)) for name in by_rate[0][1]]
    rows.append(("**an hour at this rate**", *(f"**{sum(costs.values()):,.2f}**" for _, costs in by_rate)))
    rows.append(("for a million orders", *(f"{sum(costs.values()) / (rate * 3600) * 1e6:,.2f}" for rate, costs in by_rate)))
    rows.append(("instances of storefront for orders alone", *(f"{instances(rate):,}" for rate, _ in by_rate)))
    yield "rates", table("| US dollars | 100 orders/s | 1,000 orders/s | 10,000 orders/s |", rows)
    rows = [(name, f"{cost:,.3f}", f"{cost * HOURS:,.0f}") for name, cost in fixed().items()]
    rows.append(("**all**", f"**{sum(fixed().values()):,.3f}**", f"**{sum(fixed().values()) * HOURS:,.0f}**"))
    yield "fixed", table("| US dollars | an hour | a month |", rows)
    vcpus, cost, rate = managed()
    yield "managed", (
        f"The fewest execution environments of storefront's functions (`ManagedMinimum` of each) have {vcpus} vCPUs; as c7g.large with the fee they cost "
        f"{cost:,.3f} dollars an hour. The time of on-demand instances costs as much at {rate:,.0f} orders/s around the clock ({REQUESTS} requests of {SECONDS * 1000:.0f} ms and {memory_gb() * 1024:.0f} MB each)."
    )


def written(page):
    for name, text in sections():
        pattern = rf"(<!-- {name}: computed -->\n).*?(<!-- end -->)"
        page, count = re.subn(pattern, lambda found, text=text: found[1] + text + "\n" + found[2], page, flags=re.S)
        assert count == 1, name
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
