// Puts runs on the page. Text goes in as text: nothing that a run says becomes markup.

const $ = (id) => document.getElementById(id);
const WORDS = { running: "running", paused: "waits for a human", succeeded: "succeeded", failed: "failed",
  canceled: "canceled", lost: "out of sight", passed: "passed", stopped: "stopped", done: "done" };
const SIGNS = { running: "◌", paused: "‖", succeeded: "✓", passed: "✓", done: "✓", failed: "✗", canceled: "⊘",
  stopped: "⊘", lost: "?" };
let aheadMs = 0; // of the server's clock
const cards = new Map(); // by id of the run: its element, and the rows of its iterations
const inSight = new Set(); // elements of cards
const sight = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) inSight[isIntersecting ? "add" : "delete"](target);
});

/** Make an element: tag, attributes (null ones are left out), children (texts or elements). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children.filter((one) => one != null));
  return element;
}

const sign = (status) => make("span", { class: "sign", "aria-hidden": "true" }, SIGNS[status] ?? "○");
const since = (timestamp) => Math.max(0, Date.now() - aheadMs - Date.parse(timestamp));

function lasted(ms) {
  if (ms == null) return "";
  if (ms < 1000) return `${Math.max(1, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  const rest = minutes < 60 ? `${Math.floor(ms / 1000) % 60} s` : `${minutes % 60} min`;
  return `${minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`} ${rest}`;
}

/** Set our clock by the server's: both need not agree. */
export function setClock(timestamp) {
  aheadMs = Date.now() - Date.parse(timestamp);
}

export function notice(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text;
}

export function connection(state, text) {
  $("connection").dataset.state = state;
  $("connection").textContent = text;
}

export function showFilter(only) {
  $("filter").hidden = !only;
  const parts = Object.entries(only ?? {}).map(([name, value]) => `${name} ${value}`);
  $("filter-text").textContent = `Only ${parts.join(", ")}.`;
}

export function drawCounts(counts) {
  const said = Object.entries(counts).filter(([name, count]) => count || name === "running");
  const text = said.map(([name, count]) => `${count} ${WORDS[name].replace("waits", "waiting")}`).join(" · ");
  if ($("counts").textContent !== text) $("counts").textContent = text;
}

/** Draw the runs that changed; runs that are no longer among all go. */
export function drawRuns(all, changed) {
  const ids = new Set(all.map((run) => run.id));
  for (const [id, { element }] of cards) {
    if (ids.has(id)) continue;
    sight.unobserve(element);
    inSight.delete(element);
    element.remove();
    cards.delete(id);
  }
  // All is looked at before anything is drawn, and scrolled after that: a look between has the whole page laid out anew.
  const followed = [...changed].filter(({ id }) => !cards.has(id) || isAtEnd(iterationsOf(id)));
  for (const run of [...all].reverse()) {
    if (!cards.has(run.id)) $("runs").prepend(enter(run));
    if (changed.has(run)) drawRun(run, cards.get(run.id));
  }
  const lists = followed.filter(({ id }) => cards.has(id)).map(({ id }) => iterationsOf(id));
  const ends = lists.map((list) => list.scrollHeight);
  lists.forEach((list, index) => (list.scrollTop = ends[index]));
  $("empty").hidden = all.length > 0;
}

/** Whether somebody can see the card of a run: only there do clocks have to go. */
export const isInSight = ({ id }) => inSight.has(cards.get(id)?.element);

const iterationsOf = (id) => cards.get(id).element.querySelector(".iterations");
const isAtEnd = (list) => list.scrollTop + list.clientHeight >= list.scrollHeight - 40;

function enter(run) {
  const element = $("run-template").content.firstElementChild.cloneNode(true);
  element.dataset.run = run.id;
  element.querySelector("article").setAttribute("aria-label", `Run ${run.id}`);
  cards.set(run.id, { element, rows: new Map(), drawn: new Map() });
  sight.observe(element);
  return element;
}

function drawRun(run, card) {
  const $in = (selector) => card.element.querySelector(selector);
  card.element.firstElementChild.dataset.status = run.status;
  $in("h2").textContent = run.name || run.workOrder || "run";
  $in(".goal").textContent = run.spec.goal ?? "";
  $in(".goal").hidden = !run.spec.goal;
  once(card, "status", run.status, () => {
    $in(".status").dataset.status = run.status;
    $in(".status").replaceChildren(sign(run.status), WORDS[run.status]);
  });
  drawFacts(run, card, $in(".facts"));
  drawIterations(run, card, $in(".iterations"));
  drawDelivery(run, card, $in(".delivery"));
}

/** Draw a part unless it is as it was drawn last: a link that somebody is about to follow stays. */
function once(card, part, state, draw) {
  const text = JSON.stringify(state);
  if (card.drawn.get(part) === text) return;
  card.drawn.set(part, text);
  draw();
}

function drawFacts(run, card, list) {
  const number = run.iterations.at(-1)?.number;
  const { gatesPassed = 0, gatesFailed = 0 } = run.metrics ?? {};
  const gates = gatesPassed + gatesFailed ? `${gatesPassed} passed, ${gatesFailed} failed` : "";
  const facts = [
    ["Iteration", number ? `${number}${run.spec.maxIterations ? ` of ${run.spec.maxIterations}` : ""}` : ""],
    [run.status === "running" ? "Running for" : "Took", run.status === "running" ? lasted(since(run.startedAt)) : lasted(run.durationMs)],
    ["Strategy", run.spec.strategy ?? ""],
    ["Runtime", run.runtime],
    ["Gates", gates],
    ["Work order", run.workOrder, "workOrderId"],
    ["Run", run.id, "runId"],
    ["Correlation", run.correlation === run.id ? "" : run.correlation, "correlationId"],
  ].filter(([, value]) => value);
  once(card, "facts", facts.map(([name]) => name), () => list.replaceChildren(...facts.map(fact)));
  facts.forEach(([, value], index) => {
    const shown = list.children[index].lastElementChild;
    if (shown.textContent !== value) (shown.firstElementChild ?? shown).textContent = value;
  });
}

function fact([name, value, filter]) {
  const href = filter && `progress?${new URLSearchParams({ [filter]: value })}`;
  const shown = filter ? make("a", { href, title: `Only this ${name.toLowerCase()}` }, value) : value;
  return make("div", {}, make("dt", {}, name), make("dd", { class: filter ? "mono" : null }, shown));
}

function drawIterations(run, card, list) {
  list.hidden = run.iterations.length === 0;
  const numbers = new Set(run.iterations.map((each) => each.number));
  for (const [number, row] of card.rows) {
    if (numbers.has(number)) continue;
    row.remove();
    card.rows.delete(number);
    card.drawn.delete(`iteration ${number}`);
  }
  for (const iteration of run.iterations) {
    if (!card.rows.has(iteration.number)) list.append(card.rows.set(iteration.number, make("li")).get(iteration.number));
    const row = card.rows.get(iteration.number);
    once(card, `iteration ${iteration.number}`, [iteration, iteration.status === "running" ? since(iteration.startedAt) : 0],
      () => drawIteration(iteration, row));
  }
}

function drawIteration(iteration, row) {
  row.dataset.status = iteration.status;
  const ms = iteration.status === "running" && iteration.startedAt ? since(iteration.startedAt) : iteration.durationMs;
  const word = { failed: "not passed" }[iteration.status] ?? WORDS[iteration.status];
  const parts = [
    make("h3", {}, `Iteration ${iteration.number}`),
    make("p", { class: "outcome", "data-status": iteration.status }, sign(iteration.status), word),
    make("p", { class: "took" }, lasted(ms)),
    make("ol", { class: "phases plain", "aria-label": "Phases" }, ...iteration.phases.map(phase)),
  ];
  if (iteration.gates.length) parts.push(make("ul", { class: "gates plain", "aria-label": "Gates" }, ...iteration.gates.map(gate)));
  if (iteration.feedback) parts.push(make("p", { class: "feedback" }, `Feedback: ${iteration.feedback}`));
  row.replaceChildren(...parts);
}

function phase({ name, status, durationMs, startedAt }) {
  const ms = status === "running" && startedAt ? since(startedAt) : durationMs;
  const segment = make("li", { "data-status": status, "data-phase": name }, make("span", { class: "name" }, name),
    make("span", { class: "about" }, sign(status), make("span", { class: "said" }, `${WORDS[status]} `), lasted(ms)));
  segment.style.flexGrow = String(Math.max(1, Math.sqrt(ms ?? 1))); // by the root: short ones can still be read
  return segment;
}

function gate({ name, passed }) {
  const status = passed ? "passed" : "failed";
  return make("li", { "data-status": status }, sign(status), make("span", { class: "said" }, `${WORDS[status]} `), name);
}

function drawDelivery(run, card, line) {
  line.hidden = !run.delivery;
  if (!run.delivery) return;
  once(card, "delivery", run.delivery, () => {
    const { status, url, ci, durationMs } = run.delivery;
    line.dataset.status = status;
    const word = { passed: "delivered", failed: "delivery failed", running: "delivering" }[status] ?? `delivery ${WORDS[status]}`;
    const more = [lasted(durationMs), ci ? `CI ${ci}` : ""].filter(Boolean).map((each) => ` · ${each}`);
    line.replaceChildren(sign(status), word, ...more, ...(url ? [" · ", link(url)] : []));
  });
}

/** A link, if the address is one of the web: it comes from the program that is watched. */
function link(url) {
  const isWeb = /^https?:\/\//.test(url);
  return isWeb ? make("a", { href: url, rel: "noopener noreferrer external" }, url) : make("span", {}, url);
}
