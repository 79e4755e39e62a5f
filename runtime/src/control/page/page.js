// The live page: requests the host's status every second and draws it.

import {
  ago, card, clock, duration, element, fillCard, line, list, mark, number, plural, span, sync, write,
} from "./draw.js";
import { sources } from "./sources.js";

const $ = (id) => document.getElementById(id);
const get = async (path) => {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok && answer.status !== 503) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};

function functions(status) {
  list($("functions"), ".cards", status.functions, (f) => f.function, () => card(element("ul", { className: "dots" })), (node, f) => {
    const busy = f.instances.reduce((sum, instance) => sum + instance.in_flight.length, 0);
    const flights = f.instances.flatMap((instance) => instance.in_flight);
    const records = flights.reduce((sum, flight) => sum + flight.records, 0);
    const each = f.per_instance > 1 ? ` with ${number(f.per_instance)} invocations each` : "";
    const inFlight = records ? `, ${plural(records, "record")} in flight` : "";
    fillCard(node, {
      title: f.function,
      pill: busy ? `${number(busy)} running` : "idle",
      kind: busy ? "good" : "",
      under: `${plural(f.instances.length, "instance")} of at most ${number(f.limit)}${each}${inFlight}`,
      pairs: [
        ["Invoked", number(f.invocations)],
        ["Errors", number(f.errors), f.errors > 0],
        ["Throttled", number(f.throttles), f.throttles > 0],
        ["Starts", number(f.cold_starts)],
        ["Queued", number(f.queued)],
      ],
    });
    sync(node.querySelector(".dots"), f.instances, (i) => i.id, () => element("li"), (dot, instance) => {
      const states = ["starting", "idle", "busy", "stopping"];
      const known = states.includes(instance.state) ? instance.state : "";
      mark(dot, known);
      const running = f.per_instance > 1 ? `, ${number(instance.in_flight.length)} running` : "";
      const title = `instance ${instance.id}, process ${instance.pid ?? "–"}: ${known}${running}`;
      if (dot.title !== title) {
        dot.title = title;
        dot.setAttribute("aria-label", title);
      }
    });
  });
}

// Problems and alarms by name, as /health reports them.
function attention(health) {
  const items = [
    ...health.problems.map((p) => ({
      of: p.mapping ?? p.function ?? p.schedule ?? p.part ?? "host",
      kind: p.state ?? "problem",
      since: p.since_ms,
      text: p.problem,
    })),
    ...health.alarms.map((a) => ({ of: a.of, kind: "alarm", text: a.alarm })),
  ];
  $("attention").hidden = items.length === 0;
  const row = () => element("li", {}, line("div", "grow", "soft", "pill bad"), span("why"));
  sync($("attention").querySelector(".rows"), items, (i) => `${i.kind} ${i.of}`, row, (node, i) => {
    write(node.querySelector(".grow"), i.of);
    write(node.querySelector(".soft"), i.since ? `since ${clock(i.since)}` : "");
    write(node.querySelector(".pill"), i.kind);
    write(node.querySelector(".why"), i.text);
  });
  const counts = [
    health.problems.length && plural(health.problems.length, "problem"),
    health.alarms.length && plural(health.alarms.length, "alarm"),
  ];
  const pill = $("health");
  write(pill, items.length ? counts.filter(Boolean).join(", ") : "all sources answer");
  pill.title = items.map((i) => `${i.of}: ${i.text}`).join("\n");
  mark(pill, items.length ? "pill bad" : "pill good");
}

// Similar failures are one row with their count, keyed by their group.
function activity(recent, status, now) {
  const failure = () => {
    const head = line("div", "grow", "pill bad", "soft");
    const kind = element("div", { className: "kind" });
    const summary = element("summary", {}, head, kind, element("div", { className: "preview" }));
    const request = element("p", { className: "soft mono" });
    return element("li", {}, element("details", {}, summary, element("pre"), request));
  };
  const failed = status.functions.reduce((sum, f) => sum + f.errors, 0);
  write($("failed"), failed ? number(failed) : "");
  list($("failures"), ".rows", recent.failure_groups, (f) => `${f.function} ${f.error.error_type} ${f.first_ms}`, failure, (node, f) => {
    write(node.querySelector(".grow"), f.function);
    write(node.querySelector(".pill"), f.times === 1 ? "once" : `${number(f.times)} times`);
    write(node.querySelector(".line .soft"), ago(f.at_ms, now));
    write(node.querySelector(".kind"), f.error.error_type);
    write(node.querySelector(".preview"), f.error.message);
    write(node.querySelector("pre"), f.error.message || "(no message)");
    const records = f.records ? `, ${plural(f.records, "record")}` : "";
    const last = `${f.request_id}${records}, after ${duration(f.duration_ms)}`;
    write(node.querySelector("p"), f.times === 1 ? last : `last ${last}; first ${ago(f.first_ms, now)}`);
  });
  const row = () => line("li", "grow", "soft", "soft", "soft");
  list($("invocations"), ".rows", recent.invocations.slice(0, 50), (i) => i.number, row, (node, i) => {
    const [name, records, took, when] = node.children;
    write(name, i.error ? `${i.function}: ${i.error.error_type}` : i.function);
    mark(name, i.error ? "grow bad" : "grow");
    write(records, i.records ? plural(i.records, "record") : "");
    const init = i.init_ms === null ? "" : ` + ${duration(i.init_ms)} init`;
    write(took, `${duration(i.duration_ms)}${init}`);
    write(when, ago(i.at_ms, now));
  });
}

function parts(status) {
  const row = () => element("li", {}, line("div", "grow", "pill"), span("soft"));
  list($("parts"), ".rows", status.parts.filter((p) => !p.up || p.restarts > 0), (p) => p.part, row, (node, p) => {
    write(node.querySelector(".grow"), p.part);
    const state = node.querySelector(".pill");
    write(state, `${p.up ? "runs" : "ended"}, ${plural(p.restarts, "restart")}`);
    mark(state, p.up ? "pill good" : "pill bad");
    write(node.lastElementChild, p.problem ?? "");
  });
}

function parked(stores) {
  const row = () => element("li", {}, line("div", "grow", "pill"), span("soft"));
  list($("parked"), ".rows", stores, (p) => p.place, row, (node, p) => {
    write(node.querySelector(".grow"), p.place);
    const count = node.querySelector(".pill");
    write(count, p.problem ?? (p.count === 0 ? "empty" : number(p.count)));
    mark(count, p.problem || p.count > 0 ? "pill bad" : "pill good");
    const command = p.count > 0 ? `; usher parked show ${p.place}` : "";
    write(node.lastElementChild, `from ${p.from}${command}`);
  });
}

function setting(shown) {
  if (shown.setting === "paused") {
    const button = element("button", { type: "button" });
    button.addEventListener("click", () => change(shown.target, "paused", button.dataset.next));
    return element("div", { className: "row" }, element("label"), button);
  }
  const name = `${shown.target} ${shown.setting}`;
  const width = shown.setting === "log" ? "wide" : "";
  const input = element("input", { autocomplete: "off", spellcheck: false, className: width });
  input.setAttribute("aria-label", name);
  const submit = element("button", { type: "submit", textContent: "Set" });
  const form = element("form", {}, element("label"), input, submit);
  const refusal = element("p", { className: "result bad", hidden: true });
  const refused = (why) => {
    refusal.hidden = !why;
    write(refusal, why ?? "");
    input.setAttribute("aria-invalid", String(Boolean(why)));
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    input.blur();
    const requested = input.value;
    const why = await change(shown.target, shown.setting, requested);
    // after a refusal the field has the value in force
    if (why) input.value = input.dataset.value ?? "";
    refused(why && `${requested}: ${why}`);
  });
  input.addEventListener("input", () => refused(null));
  return element("div", {}, form, refusal);
}

function settings(current, now) {
  const names = [...new Set(current.settings.map((s) => s.target))];
  const targets = names.map((target) => ({
    target,
    all: current.settings.filter((s) => s.target === target),
  }));
  const rows = () => element("div", { className: "group-rows" });
  const group = () => element("div", { className: "group" }, span("title"), rows());
  sync($("settings").querySelector(".groups"), targets, (t) => t.target, group, (node, t) => {
    write(node.querySelector(".title"), t.target);
    sync(node.querySelector(".group-rows"), t.all, (s) => s.setting, setting, (row, s) => {
      const unit = s.setting === "batching-window" ? ", seconds or 20ms" : "";
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
  const row = () => line("li", "grow", "soft", "soft");
  list($("settings"), ":scope > .rows", current.changes, (c) => `${c.at_ms} ${c.target} ${c.setting} ${c.new}`, row, (node, c) => {
    write(node.children[0], `${c.target} ${c.setting}: ${c.old} → ${c.new}`);
    write(node.children[1], c.who);
    write(node.children[2], ago(c.at_ms, now));
  });
}

// Returns why nothing changed, or null.
async function change(target, name, value) {
  const report = (text, kind) => {
    write($("result"), text);
    mark($("result"), `result ${kind}`);
  };
  try {
    const { token } = await get("/_usher/token");
    const headers = {
      "content-type": "application/json",
      "x-usher-token": token,
      "x-usher-who": "page",
    };
    const request = JSON.stringify({ target, setting: name, value });
    const answer = await fetch("/_usher/settings", { method: "POST", headers, body: request });
    const body = await answer.json();
    if (!answer.ok) {
      report(body.message, "bad");
      return body.message;
    }
    const setting = `${target} ${name}`;
    report(body.change ? `${setting} is ${body.change.new} now.` : `${setting} was ${value} already.`, "good");
    await refresh();
    return null;
  } catch (error) {
    report(`not changed: ${error.message}`, "bad");
    return `not changed: ${error.message}`;
  }
}

let parkedAt = 0;

// Not awaited: a server of dead letters that does not answer delays only this section.
async function refreshParked(now) {
  if (now - parkedAt <= 5000) return;
  parkedAt = now;
  try {
    parked(await get("/_usher/parked"));
  } catch {
    parkedAt = 0; // refresh() reports that the host does not answer
  }
}

// When the host answered last; before its first answer, when the page was opened.
let answered = Date.now();

// While the host does not answer, the page is dimmed, inert, and names the time of the last answer.
function away(error) {
  const silent = error !== null;
  document.body.classList.toggle("away", silent);
  document.querySelector("main").inert = silent;
  $("away").hidden = !silent;
  if (!silent) return;
  const since = `since ${clock(answered)} (${ago(answered, Date.now())})`;
  const remedy = "What is shown is from then; start it again with usher up.";
  write($("away"), `The host does not answer ${since}. ${remedy}`);
  $("away").title = error.message;
  write($("health"), "the host does not answer");
  mark($("health"), "pill bad");
  $("health").title = error.message;
}

async function refresh() {
  const now = Date.now();
  let answers;
  try {
    refreshParked(now);
    const names = ["status", "activity", "settings", "health"];
    answers = await Promise.all(names.map((name) => get(`/_usher/${name}`)));
  } catch (error) {
    away(error);
    return;
  }
  answered = Date.now();
  away(null);
  try {
    const [status, recent, current, health] = answers;
    write($("stack"), status.stack || "Usher");
    document.title = `${status.stack || "application"} · Usher`;
    const memory = number(Math.round(status.memory_bytes / 1048576));
    write($("facts"), `up ${duration(now - status.started_ms)}, process ${status.pid}, ${memory} MB`);
    attention(health);
    functions(status);
    const paused = current.settings.filter((s) => s.setting === "paused" && s.value);
    sources($("sources"), status, new Set(paused.map((s) => s.target)), now);
    parts(status);
    activity(recent, status, now);
    settings(current, now);
    document.body.dataset.ready = "true";
  } catch (error) {
    // a host of another version may answer in another form
    write($("health"), "this page cannot show what the host answers: load it again");
    mark($("health"), "pill bad");
    console.error(error);
  }
}

async function live() {
  await refresh();
  setTimeout(live, document.hidden ? 5000 : 1000);
}

live();
