// The live page: asks the host every second and shows what it says.

import { ago, duration, element, facts, list, mark, number, plural, sync, write } from "./draw.js";

const $ = (id) => document.getElementById(id);
const get = async (path) => {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok && answer.status !== 503) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};

const card = () => {
  const head = element("div", { className: "head" }, element("span", { className: "title" }), element("span", { className: "pill" }));
  return element("article", { className: "card" }, head, element("p", { className: "under" }), element("p", { className: "problem", hidden: true }), element("dl"));
};

function fillCard(node, { title, pill, kind, under, problem, pairs }) {
  write(node.querySelector(".title"), title);
  write(node.querySelector(".pill"), pill);
  mark(node.querySelector(".pill"), `pill ${kind}`);
  write(node.querySelector(".under"), under);
  const trouble = node.querySelector(".problem");
  trouble.hidden = !problem;
  write(trouble, problem ?? "");
  facts(node.querySelector("dl"), pairs);
}

function functions(status) {
  const make = () => {
    const made = card();
    made.append(element("ul", { className: "dots" }));
    return made;
  };
  list($("functions"), ".cards", status.functions, (f) => f.function, make, (node, f) => {
    const busy = f.instances.reduce((sum, instance) => sum + instance.in_flight.length, 0);
    const records = f.instances.flatMap((instance) => instance.in_flight).reduce((sum, flight) => sum + flight.records, 0);
    fillCard(node, {
      title: f.function,
      pill: busy ? `${number(busy)} running` : "idle",
      kind: busy ? "good" : "",
      under: `${plural(f.instances.length, "instance")} of at most ${number(f.limit)}${records ? `, ${plural(records, "record")} in flight` : ""}`,
      pairs: [
        ["Invoked", number(f.invocations)],
        ["Errors", number(f.errors), f.errors > 0],
        ["Throttled", number(f.throttles), f.throttles > 0],
        ["Starts", number(f.cold_starts)],
        ["Queued", number(f.queued)],
      ],
    });
    sync(node.querySelector(".dots"), f.instances, (i) => i.id, () => element("li"), (dot, instance) => {
      const known = ["starting", "idle", "busy", "stopping"].includes(instance.state) ? instance.state : "";
      mark(dot, known);
      const title = `instance ${instance.id}, process ${instance.pid ?? "–"}: ${known}`;
      if (dot.title !== title) {
        dot.title = title;
        dot.setAttribute("aria-label", title);
      }
    });
  });
}

const lagOf = (mapping) => mapping.partitions.reduce((sum, partition) => sum + (partition.lag ?? 0), 0);

function sources(status, paused) {
  const kafka = status.mappings.map((m) => ({
    key: m.mapping,
    card: {
      under: `Kafka group ${m.group} → ${m.function}`,
      problem: m.problem,
      pairs: [
        ["Lag", number(lagOf(m))],
        ["Done", number(m.records_done)],
        ["Batches", number(m.batches)],
        ["Failed", number(m.failed_batches), m.failed_batches > 0],
        ["Discarded", number(m.records_discarded), m.records_discarded > 0],
      ],
    },
    partitions: m.partitions,
  }));
  const queues = status.queues.map((q) => ({
    key: q.mapping,
    card: {
      under: `SQS ${q.queue} → ${q.function}`,
      problem: q.problem,
      pairs: [
        ["In flight", number(q.in_flight)],
        ["Received", number(q.received)],
        ["Deleted", number(q.deleted)],
        ["Failed", number(q.failed), q.failed > 0],
        ["Returned", number(q.released)],
      ],
    },
    partitions: [],
  }));
  const make = () => {
    const made = card();
    made.append(element("ul", { className: "partitions" }));
    return made;
  };
  list($("sources"), ".cards", [...kafka, ...queues], (s) => s.key, make, (node, s) => {
    const state = s.card.problem ? ["away", "bad"] : paused.has(s.key) ? ["paused", "warn"] : ["reading", "good"];
    fillCard(node, { ...s.card, title: s.key, pill: state[0], kind: state[1] });
    const row = () => element("li", {}, element("span"), element("b"));
    sync(node.querySelector(".partitions"), s.partitions, (p) => `${p.topic}/${p.partition}`, row, (line, p) => {
      write(line.firstElementChild, `${p.topic} ${p.partition}${p.in_flight ? ", in flight" : ""}`);
      write(line.lastElementChild, p.lag === null ? "–" : `${number(p.lag)} behind`);
    });
  });
}

function activity(seen, now) {
  const failure = () => {
    const line = element("summary", {}, element("div", { className: "line" }, element("span", { className: "grow" }), element("span", { className: "soft" })), element("div", { className: "kind" }), element("div", { className: "preview" }));
    return element("li", {}, element("details", {}, line, element("pre"), element("p", { className: "soft mono" })));
  };
  list($("failures"), ".rows", seen.failures, (f) => f.request_id, failure, (node, f) => {
    write(node.querySelector(".grow"), f.function);
    write(node.querySelector(".line .soft"), ago(f.at_ms, now));
    write(node.querySelector(".kind"), f.error.error_type);
    write(node.querySelector(".preview"), f.error.message);
    write(node.querySelector("pre"), f.error.message || "(no message)");
    write(node.querySelector("p"), `${f.request_id}${f.records ? `, ${plural(f.records, "record")}` : ""}, after ${duration(f.duration_ms)}`);
  });
  const row = () => element("li", { className: "line" }, element("span", { className: "grow" }), element("span", { className: "soft" }), element("span", { className: "soft" }), element("span", { className: "soft" }));
  list($("invocations"), ".rows", seen.invocations.slice(0, 50), (i) => i.request_id, row, (node, i) => {
    const [name, records, took, when] = node.children;
    write(name, i.error ? `${i.function}: ${i.error.error_type}` : i.function);
    mark(name, i.error ? "grow bad" : "grow");
    write(records, i.records ? plural(i.records, "record") : "");
    write(took, `${duration(i.duration_ms)}${i.init_ms === null ? "" : ` + ${duration(i.init_ms)} init`}`);
    write(when, ago(i.at_ms, now));
  });
}

function parts(status) {
  const row = () => element("li", {}, element("div", { className: "line" }, element("span", { className: "grow" }), element("span", { className: "pill" })), element("span", { className: "soft" }));
  list($("parts"), ".rows", status.parts.filter((p) => !p.up || p.restarts > 0), (p) => p.part, row, (node, p) => {
    write(node.querySelector(".grow"), p.part);
    const state = node.querySelector(".pill");
    write(state, `${p.up ? "runs" : "ended"}, ${plural(p.restarts, "restart")}`);
    mark(state, p.up ? "pill good" : "pill bad");
    write(node.lastElementChild, p.problem ?? "");
  });
}

function parked(places) {
  const row = () => element("li", {}, element("div", { className: "line" }, element("span", { className: "grow" }), element("span", { className: "pill" })), element("span", { className: "soft" }));
  list($("parked"), ".rows", places, (p) => p.place, row, (node, p) => {
    write(node.querySelector(".grow"), p.place);
    const count = node.querySelector(".pill");
    write(count, p.problem ?? (p.count === 0 ? "empty" : number(p.count)));
    mark(count, p.problem || p.count > 0 ? "pill bad" : "pill good");
    write(node.lastElementChild, p.count > 0 ? `from ${p.from}; usher parked show ${p.place}` : `from ${p.from}`);
  });
}

function setting(shown) {
  if (shown.setting === "paused") {
    const button = element("button", { type: "button" });
    button.addEventListener("click", () => change(shown.target, "paused", button.dataset.next));
    return element("div", { className: "row" }, element("label"), button);
  }
  const name = `${shown.target} ${shown.setting}`;
  const input = element("input", { autocomplete: "off", spellcheck: false, className: shown.setting === "log" ? "wide" : "" });
  input.setAttribute("aria-label", name);
  const form = element("form", {}, element("label"), input, element("button", { type: "submit", textContent: "Set" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    input.blur();
    change(shown.target, shown.setting, input.value);
  });
  return form;
}

function settings(told, now) {
  const targets = [...new Set(told.settings.map((s) => s.target))].map((target) => ({ target, all: told.settings.filter((s) => s.target === target) }));
  const group = () => element("div", { className: "group" }, element("span", { className: "title" }), element("div", { className: "group-rows" }));
  sync($("settings").querySelector(".groups"), targets, (t) => t.target, group, (node, t) => {
    write(node.querySelector(".title"), t.target);
    sync(node.querySelector(".group-rows"), t.all, (s) => s.setting, setting, (row, s) => {
      const unit = s.setting === "batching-window" ? ", seconds" : "";
      const initial = String(s.value) === String(s.initial) ? "" : ` (at the start ${s.initial})`;
      const label = row.querySelector("label");
      write(label, s.setting === "paused" ? (s.value ? "paused" : "reading") : `${s.setting}${unit}${initial}`);
      const input = row.querySelector("input");
      if (input && document.activeElement !== input && input.dataset.value !== String(s.value)) {
        input.value = input.dataset.value = String(s.value);
      }
      if (s.setting === "paused") {
        const button = row.querySelector("button");
        button.dataset.next = String(!s.value);
        write(button, s.value ? "Resume" : "Pause");
        button.setAttribute("aria-label", `${s.value ? "Resume" : "Pause"} ${s.target}`);
      }
    });
  });
  const row = () => element("li", { className: "line" }, element("span", { className: "grow" }), element("span", { className: "soft" }), element("span", { className: "soft" }));
  list($("settings"), ":scope > .rows", told.changes, (c) => `${c.at_ms} ${c.target} ${c.setting} ${c.new}`, row, (node, c) => {
    write(node.children[0], `${c.target} ${c.setting}: ${c.old} → ${c.new}`);
    write(node.children[1], c.who);
    write(node.children[2], ago(c.at_ms, now));
  });
}

async function change(target, name, value) {
  const say = (text, kind) => {
    write($("said"), text);
    mark($("said"), `said ${kind}`);
  };
  try {
    const { token } = await get("/_usher/token");
    const headers = { "content-type": "application/json", "x-usher-token": token, "x-usher-who": "page" };
    const answer = await fetch("/_usher/settings", { method: "POST", headers, body: JSON.stringify({ target, setting: name, value }) });
    const body = await answer.json();
    if (!answer.ok) say(body.message, "bad");
    else say(body.change ? `${target} ${name} is ${body.change.new} now.` : `${target} ${name} was ${value} already.`, "good");
    await refresh();
  } catch (error) {
    say(`not changed: ${error.message}`, "bad");
  }
}

let looked = 0;

// Not waited for by anything else: a server of dead letters that is away takes long to say so.
async function lookAtParked(now) {
  if (now - looked <= 5000) return;
  looked = now;
  try {
    parked(await get("/_usher/parked"));
  } catch {
    looked = 0; // the host is away, which refresh() tells
  }
}

async function refresh() {
  const now = Date.now();
  const pill = $("health");
  try {
    lookAtParked(now);
    const [status, seen, told, health] = await Promise.all([
      get("/_usher/status"), get("/_usher/activity"), get("/_usher/settings"), get("/_usher/health"),
    ]);
    write($("stack"), status.stack || "Usher");
    document.title = `${status.stack || "application"} · Usher`;
    write($("facts"), `up ${duration(now - status.started_ms)}, process ${status.pid}, ${number(Math.round(status.memory_bytes / 1048576))} MB`);
    const troubles = health.problems.length;
    write(pill, troubles ? plural(troubles, "problem") : "all sources answer");
    pill.title = health.problems.map((p) => `${p.mapping ?? p.part}: ${p.problem}`).join("\n");
    mark(pill, troubles ? "pill bad" : "pill good");
    functions(status);
    sources(status, new Set(told.settings.filter((s) => s.setting === "paused" && s.value).map((s) => s.target)));
    parts(status);
    activity(seen, now);
    settings(told, now);
    document.body.dataset.ready = "true";
  } catch (error) {
    write(pill, "the host does not answer");
    mark(pill, "pill bad");
    pill.title = error.message;
  }
}

async function live() {
  await refresh();
  setTimeout(live, document.hidden ? 5000 : 1000);
}

live();
