// What is known of the runs, from the frames of the progress socket. Knows neither the socket nor the page.

const KEPT = 200; // runs; beyond that those that ended first are forgotten
const KEPT_ITERATIONS = 200; // of one run

export class Runs {
  #runs = new Map();

  /** All runs, the newest first. */
  all() {
    return [...this.#runs.values()].reverse();
  }

  /** How many runs are in each status. */
  counts() {
    const counts = { running: 0, paused: 0, succeeded: 0, failed: 0, canceled: 0, lost: 0 };
    for (const run of this.#runs.values()) counts[run.status] += 1;
    return counts;
  }

  /** Take in a frame; returns the run that it is of, null when it is of none. */
  take(frame) {
    const [subject, verb] = String(frame.type).split(":");
    const act = ACTS[subject]?.[verb];
    if (!act || typeof frame.runId !== "string") return null;
    const run = this.#runs.get(frame.runId) ?? this.#begin(frame);
    run.isSeen = true;
    act(run, frame);
    return run;
  }

  /** From here on look which runs still are heard of: the connection is new. */
  lookAgain() {
    for (const run of this.#runs.values()) run.isSeen = false;
  }

  /** All that runs has been told of: what is not among it ended while nobody listened. Returns those runs. */
  loseUnseen() {
    const lost = [...this.#runs.values()].filter((run) => run.status === "running" && !run.isSeen);
    for (const run of lost) end(run, "lost");
    return lost;
  }

  #begin(frame) {
    const run = { id: frame.runId, status: "running", startedAt: frame.timestamp, iterations: [], isSeen: true,
      name: "", runtime: "", workOrder: frame.workOrderId ?? "", correlation: frame.correlationId ?? "", spec: {} };
    this.#runs.set(run.id, run);
    const ended = [...this.#runs.values()].find((each) => each.status !== "running");
    if (this.#runs.size > KEPT) this.#runs.delete((ended ?? this.#runs.values().next().value).id);
    return run;
  }
}

const ACTS = {
  run: { started: startRun, completed: (run, frame) => endRun(run, frame, frame.result),
    paused: (run, frame) => endRun(run, frame, "paused") },
  iteration: { started: startIteration, completed: endIteration },
  phase: { started: startPhase, completed: endPhase },
  gate: { checked: checkGate },
  delivery: { started: (run) => (run.delivery = { status: "running" }), completed: endDelivery },
};

function startRun(run, frame) {
  run.status = "running";
  run.spec = frame.taskSpec ?? {};
  run.name = frame.name ?? "";
  run.runtime = frame.runtime ?? "";
  run.workOrder = frame.workOrderId ?? run.workOrder;
  if (frame.resumed) return;
  run.startedAt = frame.timestamp;
  if (!frame.replayed) Object.assign(run, { iterations: [], durationMs: null, metrics: null, delivery: null }); // anew
}

function endRun(run, frame, status) {
  run.durationMs = (run.durationMs ?? 0) + (frame.durationMs ?? 0); // of its segments: waits for humans are left out
  run.metrics = frame.metrics;
  end(run, status in { succeeded: 1, failed: 1, canceled: 1, paused: 1 } ? status : "failed");
}

/**
 * A run has ended, and with it what still goes on inside. What a question interrupted goes on later; what a cancel
 * interrupted is told as without success, though no gate said so.
 */
function end(run, status) {
  run.status = status;
  const last = run.iterations.at(-1);
  const isCut = status === "canceled" && last?.gates.every((gate) => gate.passed);
  for (const step of [...(last ? [last, ...last.phases] : []), ...(run.delivery ? [run.delivery] : [])]) {
    if (step.status === "running" || (isCut && step.status === "failed")) step.status = "stopped";
    if (step.status === "stopped" && status === "paused") step.status = "paused";
  }
}

/** The iteration of a frame; one that is not known was there before the page. */
function iterationOf(run, frame) {
  let known = run.iterations.find((each) => each.number === frame.iteration);
  if (!known) {
    known = { number: frame.iteration, status: "running", phases: [], gates: [] };
    run.iterations.push(known);
    if (run.iterations.length > KEPT_ITERATIONS) run.iterations.shift();
  }
  return known;
}

function startIteration(run, frame) {
  const iteration = iterationOf(run, frame);
  iteration.status = "running";
  iteration.startedAt = frame.timestamp;
  iteration.feedback = frame.feedback ?? iteration.feedback;
  run.spec.maxIterations ??= frame.maxIterations;
}

function endIteration(run, frame) {
  const iteration = iterationOf(run, frame);
  iteration.status = outcome(frame.success);
  iteration.durationMs = frame.durationMs;
  for (const [name, ms] of Object.entries(frame.phaseTimings ?? {})) {
    const phase = phaseOf(iteration, name);
    phase.durationMs = ms;
    if (phase.status === "running") phase.status = "done";
  }
  for (const { gate, passed } of frame.gateResults ?? []) setGate(iteration, gate, passed);
}

function phaseOf(iteration, name) {
  let known = iteration.phases.find((each) => each.name === name);
  if (!known) iteration.phases.push((known = { name, status: "running" }));
  return known;
}

function startPhase(run, frame) {
  const phase = phaseOf(iterationOf(run, frame), frame.phase);
  phase.status = "running";
  phase.startedAt = frame.timestamp;
}

function endPhase(run, frame) {
  const phase = phaseOf(iterationOf(run, frame), frame.phase);
  phase.status = outcome(frame.success);
  phase.durationMs = frame.durationMs;
}

function checkGate(run, frame) {
  setGate(iterationOf(run, frame), frame.gate, frame.passed);
}

function setGate(iteration, name, passed) {
  const known = iteration.gates.find((each) => each.name === name);
  if (known) known.passed = passed;
  else iteration.gates.push({ name, passed });
}

function endDelivery(run, frame) {
  run.delivery = { status: outcome(frame.success), url: frame.prUrl, ci: frame.ciStatus, durationMs: frame.durationMs };
}

/** A step that says nothing of success was interrupted: by a question, or by whatever ended the run. */
function outcome(success) {
  return success === undefined ? "stopped" : success ? "passed" : "failed";
}
