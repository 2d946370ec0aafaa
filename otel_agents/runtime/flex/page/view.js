// Puts a story, the queue and the list on the page. Text goes in as text: nothing that a run says becomes markup.

import { edges, inQuestion, layers, seqOf, TERMINAL } from "./story.js";

const $ = (id) => document.getElementById(id);
const WORDS = { awaiting_hitl: "waits for a human", running: "running", completed: "completed", failed: "failed",
  cancelled: "cancelled", queued: "queued" };
const SIGNS = { pending: "○", running: "◌", ok: "✓", error: "✗", paused: "‖", cancelled: "⊘" };
const TONES = { node_error: "bad", validation_error: "bad", plan_rejected: "bad", node_retry: "wait", hitl_request: "wait",
  hitl_resolved: "ok", cancel_requested: "wait" };

/** Make an element: tag, attributes (null ones are left out), children (texts or elements). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children.filter((one) => one != null));
  return element;
}

const clock = (timestamp) => new Date(timestamp).toLocaleTimeString([], { hour12: false });
const moment = (timestamp) =>
  new Date(timestamp).toLocaleString([], { dateStyle: "medium", timeStyle: "short", hour12: false });
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const lasted = (ms) => (ms == null ? "" : ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`);

export function notice(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text ?? "";
}

export function connection(state, text) {
  $("connection").dataset.state = state;
  $("connection").textContent = text;
}

export function showForm() {
  $("start").hidden = false;
  $("watched").hidden = true;
  notice("");
}

export function showRun(story) {
  $("start").hidden = true;
  $("watched").hidden = false;
  $("frames").replaceChildren();
  drawHead(story);
  drawPlan(story);
  drawResult(story);
  for (const frame of story.frames) addFrame(frame);
}

export function update(story, frame) {
  drawHead(story);
  if (/^(plan|node|hitl)_/.test(frame.type)) drawPlan(story);
  drawResult(story);
  addFrame(frame);
}

function status(element, value) {
  element.dataset.status = value;
  element.textContent = WORDS[value] ?? value;
}

function drawHead(story) {
  $("watched-title").textContent = story.name || "Run";
  $("watched-id").textContent = story.runId;
  status($("watched-status"), story.status);
  $("cancel").hidden = TERMINAL.has(story.status);
  const done = [...story.nodes.values()].filter((node) => node.state === "ok").length;
  const facts = {
    Nodes: story.nodes.size ? `${done} of ${story.nodes.size} done` : "–",
    "Plan version": story.planVersion ?? "–",
    Started: story.startedAt ? clock(story.startedAt) : "–",
    Took: story.endedAt ? lasted(Date.parse(story.endedAt) - Date.parse(story.startedAt)) : "–",
    Correlation: story.correlationId === story.runId ? null : story.correlationId || null,
  };
  $("facts").replaceChildren(
    ...Object.entries(facts)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))),
  );
}

export function drawPlan(story) {
  $("plan-empty").hidden = story.nodes.size > 0;
  $("plan").hidden = story.nodes.size === 0;
  const columns = layers(story.nodes).map((column) => make("li", {}, make("ol", {}, ...column.map(card))));
  $("nodes").replaceChildren(...columns);
  reveal();
  drawEdges(story.nodes);
}

/** Scroll the plan, and nothing else, to where something happens. */
function reveal() {
  const [plan, card] = [$("plan"), [...$("nodes").querySelectorAll('[data-state="running"], [data-state="paused"]')].at(-1)];
  if (!card) return;
  const [view, seen] = [plan.getBoundingClientRect(), card.getBoundingClientRect()];
  if (seen.right > view.right) plan.scrollLeft += seen.right - view.right + 16;
  else if (seen.left < view.left) plan.scrollLeft -= view.left - seen.left + 16;
}

function card(node) {
  const words = [node.state, node.attempts > 1 ? `${node.attempts} attempts` : "", lasted(node.durationMs)];
  return make(
    "li",
    { class: "node", "data-state": node.state, "data-node": node.id },
    make("strong", {}, node.label || node.id),
    make("code", {}, node.capabilityId ?? ""),
    make("span", { class: "state" }, make("span", { "aria-hidden": "true" }, SIGNS[node.state] ?? "○"),
      make("span", {}, words.filter(Boolean).join(" · "))),
  );
}

function drawEdges(nodes) {
  const cards = new Map([...$("nodes").querySelectorAll(".node")].map((one) => [one.dataset.node, one]));
  const origin = $("plan").getBoundingClientRect();
  const scrolled = $("plan").scrollLeft;
  const paths = edges(nodes).map(([before, after]) => {
    const [from, to] = [before, after].map((id) => cards.get(id).getBoundingClientRect());
    const [x1, y1] = [from.right - origin.left + scrolled, from.top + from.height / 2 - origin.top];
    const [x2, y2] = [to.left - origin.left + scrolled, to.top + to.height / 2 - origin.top];
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`);
    path.dataset.state = nodes.get(before).state;
    return path;
  });
  $("edges").replaceChildren(...paths);
}

function drawResult(story) {
  const failure = story.error && { error: story.error };
  const asked = story.output === undefined ? inQuestion(story) : undefined;
  const value = failure ?? story.output ?? asked;
  $("result-title").textContent = asked && !failure ? "What you are asked about" : "Result";
  $("result").hidden = value == null;
  $("result").dataset.status = story.status;
  $("output").textContent = value == null ? "" : shown(value);
}

function about(frame) {
  const { payload = {} } = frame;
  const words = [frame.nodeId, frame.message, payload.phase, payload.policyId, payload.action, payload.trigger, payload.decision,
    payload.error?.code, frame.status ?? payload.status];
  return [...new Set(words.filter((one) => typeof one === "string"))].join(" · ");
}

function tone(frame) {
  const ending = { completed: "ok", failed: "bad", awaiting_hitl: "wait" }[frame.payload?.status];
  return frame.type === "complete" ? ending : TONES[frame.type];
}

function addFrame(frame) {
  const list = $("frames");
  const summary = make(
    "summary", {},
    make("span", { class: "seq" }, String(seqOf(frame))),
    make("time", { datetime: frame.timestamp }, clock(frame.timestamp)),
    make("span", { class: "type" }, frame.type),
    make("span", { class: "about" }, about(frame)),
    make("span", { class: "seq" }, lasted(frame.durationMs)),
  );
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("pre")) details.append(make("pre", {}, JSON.stringify(frame, null, 2)));
  });
  const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  list.append(make("li", { "data-tone": tone(frame) }, details));
  if (isAtEnd) list.scrollTop = list.scrollHeight;
  $("frames-count").textContent = list.childElementCount;
}

export function drawRuns(rows, watched, open) {
  $("runs-empty").hidden = rows.length > 0;
  const signature = JSON.stringify([rows.map((row) => [row.runId, row.status]), watched]);
  if ($("runs").dataset.signature === signature) return;
  $("runs").dataset.signature = signature;
  $("runs").replaceChildren(...rows.map((row) => make("li", {}, runButton(row, watched, open))));
}

function runButton(row, watched, open) {
  const badge = make("span", { class: "status" });
  status(badge, row.status);
  const button = make(
    "button", { type: "button", "aria-current": row.runId === watched ? "true" : null, "data-run": row.runId },
    make("strong", {}, row.name || row.runId), badge,
    make("small", { class: "mono" }, `${row.createdAt ? `${clock(row.createdAt)} · ` : ""}${row.runId.slice(0, 13)}`),
  );
  button.addEventListener("click", () => open(row.runId));
  return button;
}

/** Draw the queue; a question that stays keeps its element, so that what is being typed is not lost. */
export function drawQuestions(rows, { answer, open, outputOf }) {
  const list = $("questions");
  const there = new Map([...list.children].map((one) => [one.dataset.request, one]));
  for (const [id, element] of there) if (!rows.some((row) => row.requestId === id)) element.remove();
  for (const row of rows) if (!there.has(row.requestId)) list.append(question(row, { answer, open, outputOf }));
  $("questions-empty").hidden = rows.length > 0;
  $("questions-count").textContent = rows.length;
  $("questions-count").toggleAttribute("data-some", rows.length > 0);
}

function question(row, { answer, open, outputOf }) {
  const element = $("question-template").content.firstElementChild.cloneNode(true);
  element.dataset.request = row.requestId;
  const prompt = row.prompt || "May it go on?";
  element.querySelector(".prompt").textContent = prompt;
  element.querySelector("form").setAttribute("aria-label", prompt); // which of many buttons of one name is meant
  const link = make("button", { type: "button", class: "link" }, "show the run");
  link.addEventListener("click", () => open(row.runId));
  const facts = [row.nodeId ?? row.capabilityId ?? "the run", row.origin, row.expiresAt ? `until ${moment(row.expiresAt)}` : ""];
  element.querySelector(".about").append(`${facts.filter(Boolean).join(" · ")} `, link);
  element.addEventListener("submit", (event) => event.preventDefault());
  for (const button of element.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => unfold(element, button.dataset.opens, outputOf(row)));
  }
  for (const button of element.querySelectorAll("[data-decision]")) {
    button.addEventListener("click", () => answer(row, button.dataset.decision, element));
  }
  return element;
}

/** Open the place for an edit or a response; an edit begins with what there is, once that is known. */
function unfold(element, decision, output) {
  const value = element.querySelector("[name=value]");
  output.then((known) => {
    if (decision !== "edited" || value.value || known === undefined) return;
    value.value = JSON.stringify(known, null, 2);
    value.setSelectionRange(0, 0);
  });
  for (const part of element.querySelectorAll(".more")) part.hidden = part.dataset.for !== decision || !part.hidden;
  element.querySelector(`.more[data-for="${decision}"]:not([hidden]) textarea`)?.focus();
}
