// What a run's frames add up to: its status, its plan, the state of each node. Knows neither server nor page.

export const TERMINAL = new Set(["completed", "failed", "cancelled"]);

export const seqOf = (frame) => Number(frame.id.slice(frame.id.lastIndexOf(":") + 1));

export function empty(runId) {
  return { runId, seq: 0, status: "running", name: "", correlationId: "", planVersion: null, nodes: new Map(), questions: new Map(),
    frames: [], output: undefined, error: null, startedAt: null, endedAt: null };
}

/** Take one frame in; a frame that was seen before changes nothing. Returns whether it was new. */
export function take(story, frame) {
  const seq = seqOf(frame);
  if (seq <= story.seq) return false;
  story.seq = seq;
  story.frames.push(frame);
  story.correlationId ||= frame.correlationId ?? "";
  story.planVersion = frame.planVersion ?? story.planVersion;
  (TAKES[frame.type] ?? (() => {}))(story, frame);
  return true;
}

const TAKES = {
  start(story, frame) {
    Object.assign(story, { status: "running", name: frame.payload.name, endedAt: null });
    story.startedAt ??= frame.timestamp;
  },
  plan_generated: planned,
  plan_updated: planned,
  node_start: (story, frame) => became(story, frame, "running"),
  node_retry: (story, frame) => became(story, frame, "running", { attempts: frame.payload.attempt + 1 }),
  node_complete: (story, frame) =>
    became(story, frame, frame.status ?? "ok", {
      attempts: frame.payload.attempts, durationMs: frame.durationMs, output: frame.payload.output }),
  hitl_request: (story, frame) => story.questions.set(frame.payload.requestId, frame.payload.pendingNodeId),
  hitl_resolved(story, frame) {
    const node = story.nodes.get(story.questions.get(frame.payload.requestId));
    const isTaken = frame.payload.decision === "approved" || frame.payload.decision === "edited";
    if (node?.state === "paused") node.state = isTaken ? "ok" : "pending";
    story.questions.delete(frame.payload.requestId);
  },
  complete(story, frame) {
    const { status, output, error } = frame.payload;
    Object.assign(story, { status, output, error: error ?? null, endedAt: frame.timestamp });
  },
};

function planned(story, frame) {
  const known = story.nodes;
  story.nodes = new Map(
    (frame.payload.nodes ?? []).map((node) => [node.id, { state: "pending", dependsOn: [], ...known.get(node.id), ...node }]),
  );
}

/** What humans are asked about: node id -> what it gave; undefined when there is nothing to see. */
export function inQuestion(story) {
  const asked = [...story.questions.values()].map((id) => [id, story.nodes.get(id)?.output]);
  const seen = asked.filter(([, output]) => output !== undefined);
  return seen.length ? Object.fromEntries(seen) : undefined;
}

function became(story, frame, state, more = {}) {
  const node = story.nodes.get(frame.nodeId) ?? { id: frame.nodeId, capabilityId: frame.capabilityId, dependsOn: [] };
  story.nodes.set(frame.nodeId, { ...node, state, ...more });
}

/** Take in what the run's view says of the graph: frames name the nodes, the view says what depends on what. */
export function connect(story, nodes) {
  for (const { id, dependsOn } of nodes) {
    const node = story.nodes.get(id);
    if (node && dependsOn) node.dependsOn = dependsOn;
  }
}

/** The nodes in columns: each stands behind all that it depends on. */
export function layers(nodes) {
  const depths = new Map();
  const depth = (id, trail = new Set()) => {
    if (depths.has(id) || trail.has(id) || !nodes.has(id)) return depths.get(id) ?? -1;
    const before = nodes.get(id).dependsOn.map((one) => depth(one, new Set([...trail, id])));
    depths.set(id, 1 + Math.max(-1, ...before));
    return depths.get(id);
  };
  const columns = [];
  for (const [id, node] of nodes) (columns[depth(id)] ??= []).push(node);
  return columns.filter(Boolean);
}

/** What to draw between nodes: pairs [before, after] of ids, without those that a longer way shows as well. */
export function edges(nodes) {
  const behind = new Map(); // id -> all that it depends on, directly or not
  for (const node of layers(nodes).flat()) {
    const known = node.dependsOn.filter((one) => nodes.has(one));
    behind.set(node.id, new Set(known.flatMap((one) => [one, ...(behind.get(one) ?? [])])));
  }
  return [...nodes.values()].flatMap(({ id, dependsOn }) =>
    dependsOn
      .filter((one) => nodes.has(one) && !dependsOn.some((other) => behind.get(other)?.has(one)))
      .map((one) => [one, id]),
  );
}
