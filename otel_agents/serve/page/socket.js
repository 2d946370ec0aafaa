// Keeps a connection to the progress socket, and hands its frames on. Knows nothing of runs.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const PING_MS = 20_000;
const PATIENCE_MS = 10_000; // for the answer to a ping

/**
 * Connect, and connect again for as long as the page is there.
 *
 * @param {URL} address - of the socket
 * @param {object|null} only - a subscription, null for everything
 * @param {{onOpen: () => void, onFrame: (frame: object) => void, onLost: (reason: string) => void}} listener
 */
export async function connect(address, only, listener) {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const wasFine = await converse(address, only, listener);
    if (wasFine) waitMs = FIRST_WAIT_MS;
    else await goToLoginIfAsked();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Talk until the connection ends; returns whether it was open, and not ended by the server with a reason. */
function converse(address, only, { onOpen, onFrame, onLost }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(address);
    let [wasOpen, reason, timer] = [false, "", 0];
    const listenFor = (ms, then) => {
      clearTimeout(timer);
      timer = setTimeout(then, ms);
    };
    const ping = () => {
      socket.send('{"type":"ping"}');
      listenFor(PATIENCE_MS, () => socket.close());
    };
    socket.onopen = () => {
      wasOpen = true;
      onOpen();
      if (only) socket.send(JSON.stringify({ type: "subscribe", ...only }));
      ping(); // its answer comes behind what runs already
    };
    socket.onmessage = ({ data }) => {
      listenFor(PING_MS, ping);
      const frame = JSON.parse(data);
      if (frame.type === "error") reason = frame.error.message;
      onFrame(frame);
    };
    socket.onclose = () => {
      clearTimeout(timer);
      onLost(reason);
      resolve(wasOpen && !reason);
    };
  });
}

/** A browser does not say why a socket was refused. If it is because the login has ended, begin at the login. */
async function goToLoginIfAsked() {
  const response = await fetch(new URL("health", document.baseURI)).catch(() => null);
  if (response?.status === 401) location.reload();
}
