# Each target is a script of the same purpose under scripts/. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup servers demo upgrade up holds test kills mixed chaos timeouts protections bench lint stack rules package dist sizes symbols stop clean

# TLS=1 chooses the servers that require TLS.
tls = $(if $(filter-out 0,$(TLS)),--tls)
MAKEFLAGS += --no-print-directory

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building and testing need
	@scripts/setup

servers: ## start Redis, PostgreSQL and Kafka on loopback
	@scripts/servers start
	@scripts/servers status

demo: ## a ticket sale under load, with an audit; FAULTS=1 kills functions and stops Kafka, FAULTS=failover kills primaries; TLS=1 encrypts
	@scripts/run demo $(tls) $(if $(filter-out 0,$(FAULTS)),--faults $(if $(filter failover,$(FAULTS)),failover,kills))

upgrade: ## the demo on an earlier version (FROM=REVISION), upgraded to this one under load, and back
	@scripts/upgrade $(FROM)

up: ## the same system, left running, with requests to try; TLS=1 encrypts
	@scripts/run up $(tls)

holds: ## the delay queue alone: tables held, extended, confirmed, released
	@scripts/run holds

test: ## lints, rules and every test, on the real servers
	@scripts/test

kills: ## kill the host 200 times at seeded times under load; KILL_SEED repeats a run
	@KILLS=$(or $(KILLS),200) scripts/test --test host a_host_killed_at_any_moment

mixed: ## one host under valid and every kind of invalid input for 600 s; MIXED_SECONDS sets the time
	@MIXED_SECONDS=$(or $(MIXED_SECONDS),600) scripts/test --test host counts_agree_under_a_mixed_load -- --nocapture

chaos: ## a sale under every kind of fault on servers of its own, checked by the audit; MINUTES=60 SEED=1 ONLY=gate,killed TRIAL=gate-away
	@scripts/chaos $(or $(MINUTES),10) $(or $(SEED),1) $(if $(ONLY),--only "$(ONLY)") $(if $(TRIAL),--trial "$(TRIAL)")

timeouts: ## close 100,000 orders whose time to pay ends at once; TIMEOUTS sets the number
	@TIMEOUTS=$(or $(TIMEOUTS),100000) scripts/test --test closer many::timeouts_due_at_once_are_all_closed -- --nocapture

protections: ## remove each protection of the order protocol from the functions: a trial must fail; ONLY=fence,nonce
	@scripts/protections

bench: ## the benchmarks; QUICK=1 for a short look, PART=http for one, WRITE=1 to write docs/benchmarks.md
	@scripts/run bench $(or $(PART),all) $(if $(filter-out 0,$(QUICK)),--quick) $(if $(filter-out 0,$(WRITE)),--write docs)

lint: ## format, clippy, documentation, scripts, style, template, rules
	@scripts/lint

stack: ## tests of template.yaml as it is deployed: every combination of its switches, ways to reach Kafka, keys
	@scripts/stack

rules: ## check the rules of ARCHITECTURE.md
	@scripts/rules

package: ## build and check what SAM deploys, for both architectures; EVENTS=1 sends it the sample events, SAM=1 compares it with sam build
	@scripts/package $(if $(filter-out 0,$(EVENTS)),--events) $(if $(filter-out 0,$(SAM)),--sam)

dist: ## an archive of usher to install, with checksums, manual pages and completions; PROFILE=local builds quicker
	@DIST_PROFILE=$(or $(PROFILE),release) scripts/dist

sizes: ## size and start of each function as shipped, on this machine
	@scripts/sizes

symbols: ## prove that the shipped consumers contain no librdkafka
	@scripts/symbols

stop: ## stop the servers and keep their data
	@scripts/servers stop

clean: ## stop the servers, delete their data and the build
	@scripts/servers wipe
	@cargo clean
