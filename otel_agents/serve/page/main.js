// Wires the page: frames change what is known of runs, and once for each picture that is drawn.

import { Runs } from "./runs.js";
import { connect } from "./socket.js";
import * as view from "./view.js";

const FILTERS = ["runId", "workOrderId", "correlationId"];
const TICK_MS = 1000;

const runs = new Runs();
const changed = new Set();
let isDrawing = false;

function draw() {
  isDrawing = false;
  view.drawRuns(runs.all(), changed);
  view.drawCounts(runs.counts());
  changed.clear();
}

/** Draw soon; a thousand frames at once are one picture. */
function drawSoon() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(draw);
}

function change(...those) {
  for (const run of those) changed.add(run);
  if (changed.size) drawSoon();
}

const listener = {
  onOpen() {
    runs.lookAgain();
    view.notice(runs.all().length ? "The connection was lost for a while. What happened meanwhile is missing here." : "");
    view.connection("live", "Live");
  },
  onFrame(frame) {
    if (frame.type === "pong") {
      view.setClock(frame.timestamp);
      change(...runs.loseUnseen());
    } else if (frame.type === "gap") view.notice(`${frame.dropped} events were lost: the process was too busy to tell.`);
    const run = isMeant(frame) ? runs.take(frame) : null;
    if (run) change(run);
  },
  onLost(reason) {
    view.connection("lost", "Connecting again");
    if (reason) view.notice(`The server ended the connection: ${reason}.`);
  },
};

/** The subscription that the address asks for: `progress?workOrderId=wo-17`. */
function asked() {
  const given = [...new URLSearchParams(location.search)].filter(([name, value]) => FILTERS.includes(name) && value);
  return given.length ? Object.fromEntries(given) : null;
}

/** What runs already comes before the server has read the subscription. */
function isMeant(frame) {
  return Object.entries(only ?? {}).every(([name, value]) => frame[name] === value);
}

const address = new URL("ws", document.baseURI);
address.protocol = address.protocol.replace("http", "ws");
const only = asked();
view.showFilter(only);
view.drawCounts(runs.counts());
setInterval(() => change(...runs.all().filter((run) => run.status === "running" && view.isInSight(run))), TICK_MS);
connect(address, only, listener);
