// Wires the page: starts runs, watches one, reconnects after the last frame seen, answers questions, polls the lists.

import * as api from "./api.js";
import { connect, empty, take, TERMINAL } from "./story.js";
import { events } from "./sse.js";
import * as view from "./view.js";

const POLL_MS = 2000;
const LONGEST_WAIT_MS = 5000;
const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let story = null;
let watching = null; // the AbortController of the stream that is read
let sample = "";

/** Read a stream to its end; returns whether its last frame was `complete`. */
async function read(response, control) {
  let isComplete = false;
  for await (const event of events(response)) {
    if (control.signal.aborted) return true;
    const frame = JSON.parse(event.data);
    story ??= empty(frame.runId);
    if (!take(story, frame)) continue; // also what says that the stream broke off, which is no end of the run
    isComplete = frame.type === "complete";
    view.update(story, frame);
    if (frame.type === "plan_generated" || frame.type === "plan_updated") drawGraph(story);
  }
  return isComplete;
}

/** Ask what depends on what; the plan is readable without it, so a failure is not worth a word. */
async function drawGraph(of) {
  const seen = await api.run(of.runId).catch(() => null);
  const nodes = seen?.nodes;
  if (!nodes || of !== story) return;
  connect(of, nodes);
  view.drawPlan(of);
}

/** Watch a run until it has ended or waits for a human, whatever happens to the connection. */
async function follow(runId) {
  watching?.abort();
  const control = (watching = new AbortController());
  for (let wait = 250; !control.signal.aborted; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const response = await api.stream(runId, story.seq, control.signal);
      view.connection("live", "Live");
      if (response.status === 204 || (await read(response, control))) return settle(control);
      wait = 250;
    } catch (error) {
      if (control.signal.aborted) return;
      if (error instanceof api.Problem && error.status < 500) return lost(error.message);
      view.connection("lost", "Connection lost, trying again");
    }
    await pause(wait);
  }
}

function lost(text) {
  watching = null;
  view.connection("lost", "Not watched");
  view.notice(text);
}

function settle(control) {
  if (control.signal.aborted) return;
  watching = null;
  rest();
  refresh();
}

/** Say why no stream is read. */
function rest() {
  const ending = TERMINAL.has(story?.status) ? "The run has ended" : "The run waits";
  view.connection("idle", story ? ending : "No run watched");
}

async function start(text) {
  watching?.abort();
  const control = (watching = new AbortController());
  view.notice("");
  const response = await api.start(text, crypto.randomUUID?.() ?? String(Math.random()), control.signal);
  const runId = response.headers.get("Flex-Run-Id");
  show(empty(runId));
  view.connection("live", "Live");
  try {
    if (await read(response, control)) return settle(control);
  } catch (error) {
    if (control.signal.aborted) return;
  }
  await follow(runId);
}

function show(next) {
  story = next;
  location.hash = `run=${encodeURIComponent(next.runId)}`;
  view.notice("");
  view.showRun(story);
  reveal();
  refresh();
}

/** Lead to what is shown now; on a small screen it stands below the lists. */
function reveal() {
  $("run").focus({ preventScroll: true });
  const { top } = $("run").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) $("run").scrollIntoView();
}

function open(runId) {
  if (!runId || story?.runId === runId) return;
  show(empty(runId));
  drawRunsNow();
  return follow(runId);
}

function close() {
  watching?.abort();
  watching = story = null;
  history.replaceState(null, "", location.pathname);
  view.showForm();
  reveal();
  rest();
  drawRunsNow();
}

async function answer(row, decision, element) {
  const answered = { requestId: row.requestId, decision };
  try {
    if (decision === "edited") answered.value = JSON.parse(element.querySelector("[name=value]").value);
    if (decision === "responded") answered.text = element.querySelector("[name=text]").value;
    for (const button of element.querySelectorAll("button")) button.disabled = true;
    await api.resolve(answered);
    view.notice("");
    if (story?.runId === row.runId) follow(row.runId);
    else open(row.runId);
  } catch (error) {
    view.notice(error instanceof SyntaxError ? `The edit is no JSON: ${error.message}` : error.message);
    for (const button of element.querySelectorAll("button")) button.disabled = false;
  }
  refresh();
}

/** What the node in question gave, where an edit begins; its run is watched for that. */
async function outputOf(row) {
  await open(row.runId);
  return story?.runId === row.runId ? story.nodes.get(row.nodeId)?.output : undefined;
}

let rows = [];
let isTroubled = false; // whether the last look at the lists failed, and the page says so
const drawRunsNow = () => view.drawRuns(rows, story?.runId, open);

/** Fetch both lists; a run that waited and goes on elsewhere is watched again. */
async function refresh() {
  try {
    const [runs, pending] = await Promise.all([api.runs(), api.pending()]);
    rows = runs.runs;
    drawRunsNow();
    view.drawQuestions(pending.pending, { answer, open, outputOf });
    const now = rows.find((row) => row.runId === story?.runId)?.status;
    if (story?.status === "awaiting_hitl" && now && now !== "awaiting_hitl") follow(story.runId);
    if (isTroubled) view.notice("");
    if (isTroubled && watching === null) rest();
    isTroubled = false;
  } catch (error) {
    isTroubled = true;
    if (error instanceof api.Problem) view.notice(error.message);
    else view.connection("lost", "The server does not answer");
  }
}

async function poll() {
  for (;;) {
    await pause(POLL_MS);
    if (document.visibilityState === "visible") await refresh();
  }
}

$("envelope-form").addEventListener("submit", (event) => {
  event.preventDefault();
  start($("envelope").value).catch((error) => {
    watching = null;
    view.notice(error.message);
  });
});
$("reset").addEventListener("click", () => ($("envelope").value = sample));
$("new").addEventListener("click", close);
$("cancel").addEventListener("click", () => api.cancel(story.runId).catch((error) => view.notice(error.message)));
addEventListener("resize", () => story && view.drawPlan(story));
addEventListener("hashchange", () => open(new URLSearchParams(location.hash.slice(1)).get("run")));

/** Lead to the page beside this one, where the server is observed. */
async function findProgress() {
  const response = await fetch("progress", { method: "HEAD" }).catch(() => null);
  $("progress").hidden = !response?.ok;
}

sample = await fetch("page/sample.json").then((response) => response.text());
$("envelope").value = sample;
$("go").disabled = false; // not before there is something to start, and somebody who does
findProgress();
await refresh();
open(new URLSearchParams(location.hash.slice(1)).get("run"));
poll();
