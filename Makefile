# Each target is a script of the same purpose under scripts/. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup servers demo up holds test kills mixed bench lint rules sizes symbols stop clean
MAKEFLAGS += --no-print-directory

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building and testing need
	@scripts/setup

servers: ## start Redis, PostgreSQL and Kafka on loopback
	@scripts/servers start
	@scripts/servers status

demo: ## a sale under a rush, narrated and audited; FAULTS=1 kills functions and stops Kafka meanwhile
	@scripts/run demo $(if $(filter-out 0,$(FAULTS)),--faults)

up: ## the same system left running, with requests to try
	@scripts/run up

holds: ## the delay queue on its own: tables held, extended, confirmed, released
	@scripts/run holds

test: ## lints, rules and every test, on the real servers
	@scripts/test

kills: ## the host killed 200 times at seeded moments under load; KILL_SEED repeats a run
	@KILLS=$(or $(KILLS),200) scripts/test --test host a_host_killed_at_any_moment

mixed: ## one host under good records and every kind of bad input for 600 s; MIXED_SECONDS sets the time
	@MIXED_SECONDS=$(or $(MIXED_SECONDS),600) scripts/test --test host counts_agree_under_a_mixed_load -- --nocapture

bench: ## the benchmarks
	@scripts/run bench

lint: ## format, clippy, documentation, scripts, template, rules
	@scripts/lint

rules: ## the architecture's rules, proven
	@scripts/rules

sizes: ## stripped size of each function as shipped
	@scripts/sizes

symbols: ## proves that the shipped consumers carry no librdkafka
	@scripts/symbols

stop: ## stop the servers; their data stay
	@scripts/servers stop

clean: ## stop the servers, delete their data and everything built
	@scripts/servers wipe
	@cargo clean
