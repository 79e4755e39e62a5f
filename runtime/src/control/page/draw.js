// Builds and refreshes elements. Values from a host become text or a class from a fixed set, never
// markup. Elements are kept and changed in place, so that none flickers, loses the focus or folds
// up.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export const span = (className) => element("span", { className });

// An element of the class `line` with a span for each of these classes.
export const line = (tag, ...classes) => element(tag, { className: "line" }, ...classes.map(span));

// Control characters and bidirectional controls are shown as escapes; line breaks and tabs stay.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const visible = (text) => text.replace(HIDDEN, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);

export function write(node, text) {
  const shown = visible(String(text));
  if (node.textContent !== shown) node.textContent = shown;
}

export function mark(node, names) {
  if (node.className !== names) node.className = names;
}

// Keeps one child of `parent` for each item, in order; `make` builds it, `fill` refreshes it.
// Children without an item are removed. A second item with the same key has an element of its own.
export function sync(parent, items, key, make, fill) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const used = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const plain = String(key(item));
    const times = used.get(plain) ?? 0;
    used.set(plain, times + 1);
    const name = times === 0 ? plain : `${plain}\n${times}`;
    let child = known.get(name);
    if (child) known.delete(name);
    else {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    fill(child, item);
  }
  for (const child of known.values()) child.remove();
}

// As `sync`, for a section with a text for no items.
export function list(section, selector, items, key, make, fill) {
  const parent = section.querySelector(selector);
  const empty = section.querySelector(":scope > .empty");
  parent.hidden = items.length === 0;
  empty.hidden = items.length !== 0;
  sync(parent, items, key, make, fill);
}

// A list of terms and numbers. A third member that is true marks the number as bad.
export function facts(node, pairs) {
  sync(node, pairs, (pair) => pair[0], (pair) => element("div", {}, element("dt", { textContent: pair[0] }), element("dd")), (row, pair) => {
    write(row.lastElementChild, pair[1]);
    mark(row.lastElementChild, pair[2] ? "bad" : "");
  });
}

const NUMBER = new Intl.NumberFormat("en");
export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));

export function duration(ms) {
  if (ms < 0.1) return "<0.1 ms";
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  if (ms < 90_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");
export const ago = (at, now) => (now - at < 1000 ? "just now" : `${duration(now - at).replace(/\.\d s/, " s")} ago`);
export const plural = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

export const card = (...more) => {
  const head = element("div", { className: "head" }, span("title"), span("pill"));
  const problem = element("p", { className: "problem", hidden: true });
  return element("article", { className: "card" }, head, element("p", { className: "under" }), problem, element("dl"), ...more);
};

export function fillCard(node, { title, pill, kind, under, problem, pairs }) {
  write(node.querySelector(".title"), title);
  write(node.querySelector(".pill"), pill);
  mark(node.querySelector(".pill"), `pill ${kind}`);
  write(node.querySelector(".under"), under);
  const trouble = node.querySelector(".problem");
  trouble.hidden = !problem;
  write(trouble, problem ?? "");
  facts(node.querySelector("dl"), pairs);
}
