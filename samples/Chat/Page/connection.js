// A client of ASP.NET Core SignalR: the JSON protocol over a WebSocket, which needs no negotiation. It connects again by itself.

const end = '\x1e';   // of each message
const invocation = 1, completion = 3, ping = 6, close = 7;
const pingMs = 10_000, silenceMs = 30_000, handshakeMs = 10_000;
const firstDelayMs = 250, maxDelayMs = 10_000;

/** A connection to a hub. `onConnected` is called after each handshake, `onDisconnected(attempt)` after each lost connection and failed attempt. */
export class Connection {
  onConnected = () => {};
  onDisconnected = () => {};

  #path;
  #handlers = new Map();
  #calls = new Map();    // id → what settles the call
  #lastId = 0;
  #socket = null;        // only where it was opened and not closed
  #ready = false;
  #stopped = true;
  #attempt = 0;
  #timer = 0;
  #received = 0;         // when the server last said something

  constructor(path) {
    this.#path = path;
    setInterval(() => this.#keepAlive(), pingMs);
    // The network is back, or the device woke up: do not wait for the timer.
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#hurry(); });
  }

  get isConnected() { return this.#ready; }

  /** Sets what is called with the arguments of a message of the server. */
  on(name, handler) { this.#handlers.set(name, handler); }

  start() {
    this.#stopped = false;
    this.#open();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#lose(this.#socket);
  }

  /** Calls a method of the hub. Fails with a HubError where the server refuses, with another error where the connection is lost. */
  invoke(target, ...args) {
    if (!this.#ready) return Promise.reject(new Error('There is no connection.'));
    const invocationId = String(++this.#lastId);
    return new Promise((resolve, reject) => {
      this.#calls.set(invocationId, { resolve, reject });
      this.#send({ type: invocation, invocationId, target, arguments: args });
    });
  }

  #open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(new URL(this.#path, location.href.replace(/^http/, 'ws')));
    this.#socket = socket;
    this.#received = Date.now();
    let rest = '';
    socket.onopen = () => socket.send(`{"protocol":"json","version":1}${end}`);
    socket.onmessage = event => {
      if (socket !== this.#socket) return;
      this.#received = Date.now();
      const parts = (rest + event.data).split(end);
      rest = parts.pop();
      for (const part of parts) this.#receive(socket, JSON.parse(part));
    };
    socket.onclose = () => this.#lose(socket);
    setTimeout(() => { if (socket === this.#socket && !this.#ready) this.#lose(socket); }, handshakeMs);
  }

  #receive(socket, message) {
    if (socket !== this.#socket) return;   // lost by a message before it
    if (!this.#ready) {
      if (message.error) return this.#lose(socket);
      this.#ready = true;
      this.#attempt = 0;
      this.onConnected();
    } else if (message.type === invocation) {
      this.#handlers.get(message.target)?.(...message.arguments);
    } else if (message.type === completion) {
      const call = this.#calls.get(message.invocationId);
      this.#calls.delete(message.invocationId);
      if (message.error) call?.reject(new HubError(message.error));
      else call?.resolve(message.result);
    } else if (message.type === close) {
      this.#lose(socket);
    }
  }

  #lose(socket) {
    if (socket === null || socket !== this.#socket) return;
    this.#socket = null;
    this.#ready = false;
    socket.close();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(new Error('The connection was lost.'));
    if (this.#stopped) return;
    this.#attempt++;
    // Not all clients of a server that was killed at once.
    const delay = Math.min(firstDelayMs * 2 ** (this.#attempt - 1), maxDelayMs) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#open(), delay);
    this.onDisconnected(this.#attempt);
  }

  #hurry() {
    if (!this.#stopped && this.#socket === null) this.#open();
  }

  #keepAlive() {
    if (this.#socket === null) return;
    if (Date.now() - this.#received > silenceMs) this.#lose(this.#socket);
    else if (this.#ready) this.#send({ type: ping });
  }

  #send(message) { this.#socket.send(JSON.stringify(message) + end); }
}

/** The server refused a call, with a HubException "code: text". */
export class HubError extends Error {
  constructor(error) {
    const [, code, text] = error.match(/HubException: (\w+): (.*)$/s) ?? [null, 'failed', error];
    super(text);
    this.isTransient = code === 'rateLimited' || code === 'unavailable';
  }
}
