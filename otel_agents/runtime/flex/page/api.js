// The endpoints that the page calls; every failure becomes a Problem with what the server said.

const ROOT = "api/v1/flex";

export class Problem extends Error {
  constructor(status, error) {
    const details = (error.details ?? []).map((one) => `${one.path || "/"}: ${one.message}`);
    super([error.message, ...details].join("\n"));
    this.status = status;
    this.code = error.code;
  }
}

let isLeaving = false;

/** Go to the login: the cookie has ended. Several answers may say so at once. */
function logIn() {
  if (!isLeaving) location.assign(`login?next=${encodeURIComponent(location.href)}`);
  isLeaving = true;
}

async function call(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(`${ROOT}/${path}`, { method, body, signal, headers: { ...sent, ...headers } });
  if (response.ok) return response;
  if (response.status === 401) logIn();
  const answer = await response.json().catch(() => ({}));
  throw new Problem(response.status, answer.error ?? { message: `The server answered ${response.status}` });
}

const json = async (...parameters) => (await call(...parameters)).json();
const at = (id) => encodeURIComponent(id);

export const runs = () => json("runs?limit=50");
export const run = (id) => json(`runs/${at(id)}`);
export const pending = () => json("hitl/pending");
export const cancel = (id) => json(`runs/${at(id)}/cancel`, { method: "POST", body: "{}" });
export const resolve = (answer) => json("hitl/resolve", { method: "POST", body: JSON.stringify(answer) });

/** Start a run; the response is a stream of its frames. The key makes a repeated request the same run. */
export const start = (text, key, signal) =>
  call("run.stream", { method: "POST", body: text, headers: { "Idempotency-Key": key }, signal });

/** The stream of a run, after the frame that was seen last. */
export const stream = (id, seq, signal) =>
  call(`runs/${at(id)}/stream`, { headers: seq ? { "Last-Event-ID": `${id}:${seq}` } : {}, signal });
