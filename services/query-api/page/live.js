// One live stream over graphql-transport-ws: connects, resumes after its last cursor, and says how it is.

import { LIVE, token } from "./api.js";

/** Without any event for so long the stream is dead, whatever the socket says. Heartbeats come every 5 s. */
const SILENCE_MS = 16000;
const BACKOFF_MS = [300, 1000, 2000, 4000, 8000];
const RECENT = 1000;
/** After these the same question may work later; after any other it will not. */
const TRANSIENT = ["UNAVAILABLE", "TIMEOUT", "INTERNAL"];

export class LiveStream {
  /** `onEvent(event)` gets each event; `onState(state, text, words)` what to tell the reader, with the server's own
   * words; `onEnd(error)` that the stream can't be had, and why. */
  constructor(meter, onEvent, onState, onEnd) {
    Object.assign(this, { meter, onEvent, onState, onEnd, cursor: null, tries: 0, closed: false, words: "" });
    this.online = () => { if (this.waiting) { clearTimeout(this.waiting); this.connect(); } };
    addEventListener("online", this.online);
    this.connect();
  }

  close() {
    this.closed = true;
    removeEventListener("online", this.online);
    clearTimeout(this.waiting);
    clearTimeout(this.silence);
    this.socket?.close(1000);
  }

  connect() {
    this.waiting = null;
    if (this.tries === 0) this.onState("connecting", "Connecting");
    const url = new URL("/graphql", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, "graphql-transport-ws");
    this.socket = socket;
    this.listen();
    socket.onopen = () => this.send({ type: "connection_init", payload: token() ? { authorization: `Bearer ${token()}` } : {} });
    socket.onmessage = (message) => { if (socket === this.socket) this.take(JSON.parse(message.data)); };
    socket.onclose = (event) => { if (socket === this.socket) this.lost(event.code); };
  }

  take(message) {
    this.listen();
    switch (message.type) {
      case "connection_ack":
        this.send({ id: "live", type: "subscribe", payload: { query: LIVE, variables: { meter: this.meter, recent: RECENT, after: this.cursor } } });
        break;
      case "next": {
        const event = message.payload.data?.meterReadings;
        if (!event) break;
        this.tries = 0;
        this.cursor = event.cursor;
        const behind = event.__typename === "LiveHeartbeat" && !event.upToDate;
        this.words = "";
        this.onState(behind ? "delayed" : "live", behind ? "Feed delayed" : "Connected");
        this.onEvent(event);
        break;
      }
      case "error":
        this.fail(message.payload?.[0] ?? { message: "The server ended the stream" });
        break;
      case "complete":
        this.socket.close(1000);
        break;
      case "ping":
        this.send({ type: "pong" });
        break;
    }
  }

  fail(error) {
    if (TRANSIENT.includes(error.extensions?.code)) {
      this.words = error.message;
      this.socket.close(1000);
    } else {
      this.close();
      this.onEnd(error);
    }
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Closing a dead socket takes the browser long: it is left behind. */
  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => { this.socket.close(); this.lost(0); }, SILENCE_MS);
  }

  lost(code) {
    clearTimeout(this.silence);
    this.socket = null;
    if (this.closed || this.waiting) return;
    if (code === 4403) return this.onState("refused", "Token refused");
    const wait = BACKOFF_MS[Math.min(this.tries, BACKOFF_MS.length - 1)];
    this.tries += 1;
    this.onState("lost", navigator.onLine ? "Reconnecting" : "Offline", this.words);
    this.waiting = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
  }
}
