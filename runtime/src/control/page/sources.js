// Sources of events with their health: Kafka mappings, queues, asynchronous events, schedules, and any
// other kind by the fields of its entries.

import {
  ago, card, clock, duration, element, fillCard, list, mark, number, sync, write,
} from "./draw.js";

const STATES = {
  ok: ["reading", "good"], behind: ["behind", "warn"], paused: ["paused", "warn"],
  stuck: ["stuck", "bad"], failing: ["failing", "bad"], away: ["away", "bad"], missing: ["missing", "bad"],
};

// Without a state, it follows from the source's problem, if there is one.
function stateOf(source, paused) {
  const state = source.health?.state ?? (source.problem ? "away" : source.destination_problem ? "stuck" : "ok");
  return state === "ok" && paused ? "paused" : state;
}

const pillOf = (state) => STATES[state] ?? [state, "bad"];

// The problem with its time and remedy, and the last error.
function trouble(source, state, now) {
  const health = source.health ?? {};
  const lines = [];
  if (!["ok", "paused"].includes(state) && health.since_ms) {
    lines.push(`${state} since ${clock(health.since_ms)} (${ago(health.since_ms, now)})`);
  }
  const reasons = new Set([health.reason, source.problem, source.destination_problem]);
  for (const reason of reasons) if (reason) lines.push(reason);
  const error = health.last_error;
  if (error && state !== "ok") lines.push(`last error ${ago(error.at_ms, now)}: ${error.error}`);
  return lines.join("\n") || null;
}

const UNKNOWN = "–";
const age = (source) => {
  const waiting = source.health?.oldest_waiting_ms;
  return waiting === null || waiting === undefined ? UNKNOWN : duration(waiting);
};

// The sum of the known lags; a lower bound where the lag of a partition is unknown.
function lag(partitions) {
  // this host owns no partition, or the topic is missing
  if (partitions.length === 0) return UNKNOWN;
  const known = partitions.filter((p) => typeof p.lag === "number");
  const sum = known.reduce((total, p) => total + p.lag, 0);
  if (known.length === partitions.length) return number(sum);
  return known.length === 0 ? "unknown" : `≥ ${number(sum)}`;
}

function kafka(mapping, bad) {
  return {
    under: `Kafka group ${mapping.group} → ${mapping.function}`,
    pairs: [
      ["Lag", lag(mapping.partitions), bad && mapping.partitions.length > 0],
      ["Oldest", age(mapping), bad && age(mapping) !== UNKNOWN],
      ["Done", number(mapping.records_done)],
      ["Batches", number(mapping.batches)],
      ["Failed", number(mapping.failed_batches), mapping.failed_batches > 0],
      ["Discarded", number(mapping.records_discarded), mapping.records_discarded > 0],
      ["Lost", number(mapping.records_lost), mapping.records_lost > 0],
    ],
  };
}

function queue(source, bad) {
  return {
    under: `SQS ${source.queue} → ${source.function}`,
    pairs: [
      ["In flight", number(source.in_flight)],
      ["Oldest", age(source), bad && age(source) !== UNKNOWN],
      ["Received", number(source.received)],
      ["Deleted", number(source.deleted)],
      ["Failed", number(source.failed), source.failed > 0],
      ["Returned", number(source.released)],
    ],
  };
}

function events(source, bad) {
  return {
    under: `Asynchronous events → ${source.function}`,
    pairs: [
      ["Waiting", number(source.waiting)],
      ["Oldest", age(source), bad && age(source) !== UNKNOWN],
      ["Running", number(source.running)],
      ["Delivering", number(source.delivering)],
      ["Lost", number(source.lost), source.lost > 0],
    ],
  };
}

function schedule(source) {
  return {
    under: `${source.expression} ${source.timezone} → ${source.function}`,
    pairs: [
      ["Next in", source.next_ms === null ? UNKNOWN : duration(Math.max(0, source.next_ms - Date.now()))],
      ["Missed", number(source.missed), source.missed > 0],
    ],
  };
}

// A source of another kind: its texts, and its counts in their order.
const NAMES = ["mapping", "schedule", "function", "problem"];

function other(source) {
  const fields = Object.entries(source).filter(([name]) => !NAMES.includes(name));
  const texts = fields.filter(([, value]) => typeof value === "string");
  const counts = fields.filter(([, value]) => value === null || typeof value === "number");
  const term = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
  return {
    under: `${texts.map((text) => text.join(" ")).join(", ")} → ${source.function}`,
    pairs: counts.map(([name, count]) => [term(name), number(count)]),
  };
}

// Sources in the sections of other kinds. Every source has a health; functions and parts have none.
const SECTIONS = ["mappings", "queues", "events", "schedules"];
const others = (status) =>
  Object.entries(status)
    .filter(([section, entries]) => !SECTIONS.includes(section) && Array.isArray(entries))
    .flatMap(([, entries]) => entries.filter((entry) => entry.health))
    .map((source) => ({ source, name: source.mapping ?? source.schedule ?? source.function }));

// The pill of a source that is well, where `reading` does not fit.
function wellPill(draw, source) {
  if (draw === events) return source.lost > 0 ? [`${number(source.lost)} lost`, "bad"] : ["running", "good"];
  if (draw !== schedule) return null;
  if (source.problem) return ["not fired", "bad"];
  return source.next_ms === null ? ["over", ""] : ["waiting", "good"];
}

// A function whose events were shown once stays, so that cards do not appear and disappear.
const shown = new Set();
const hasEvents = (e) => e.waiting + e.running + e.delivering + e.lost > 0 || (e.health && e.health.state !== "ok");

export function sources(section, status, paused, now) {
  for (const e of status.events) if (hasEvents(e)) shown.add(e.function);
  const all = [
    ...status.mappings.map((m) => ({ key: m.mapping, title: m.mapping, source: m, draw: kafka })),
    ...status.queues.map((q) => ({ key: q.mapping, title: q.mapping, source: q, draw: queue })),
    ...status.events.filter((e) => shown.has(e.function)).map((e) => ({ key: `events of ${e.function}`, title: e.function, source: e, draw: events })),
    ...status.schedules.map((s) => ({ key: `schedule ${s.schedule}`, title: s.schedule, source: s, draw: schedule })),
    ...others(status).map(({ source, name }) => ({ key: name, title: name, source, draw: other })),
  ];
  list(section, ".cards", all, (s) => s.key, () => card(element("ul", { className: "partitions" })), (node, { key, title, source, draw }) => {
    const state = stateOf(source, paused.has(key));
    let [pill, kind] = pillOf(state);
    if (state === "ok") [pill, kind] = wellPill(draw, source) ?? [pill, kind];
    const problem = trouble(source, state, now);
    fillCard(node, { ...draw(source, kind === "bad"), title, pill, kind, problem });
    sync(node.querySelector(".partitions"), source.partitions ?? [], (p) => `${p.topic}/${p.partition}`, () => element("li", {}, element("span"), element("b")), partition);
  });
}

function partition(line, p) {
  const state = p.health?.state ?? (p.paused ? "paused" : "ok");
  const [name, kind] = pillOf(state);
  write(line.firstElementChild, `${p.topic} ${p.partition}${p.in_flight ? ", in flight" : ""}${state === "ok" ? "" : `, ${name}`}`);
  const waiting = p.health?.oldest_waiting_ms;
  const oldest = typeof waiting === "number" && waiting > 0 ? `, oldest ${duration(waiting)}` : "";
  write(line.lastElementChild, typeof p.lag === "number" ? `${number(p.lag)} behind${oldest}` : `lag unknown${oldest}`);
  mark(line, kind === "bad" ? "bad" : "");
}
