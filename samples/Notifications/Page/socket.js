// A WebSocket that connects again, and acknowledges what it hands on.

const firstWait = 500, longestWait = 10_000, ackWait = 50, mostIds = 200;

export class NotificationSocket {
  /** @param on { notification(n), changed(), state(text, isConnected) } */
  constructor(on) {
    this.on = on;
    this.wait = firstWait;
    this.acks = [];
    addEventListener('online', () => this.connect());
    addEventListener('offline', () => this.socket?.close());
  }

  /** Connects as a user, instead of the one before. */
  open(userId, token) {
    const url = new URL('/', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('userId', userId);
    url.searchParams.set('changes', 'true');
    if (token) url.searchParams.set('token', token);
    this.url = url;
    this.acks = [];
    this.wait = firstWait;
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    if (!this.url) return;
    const before = this.socket;
    const socket = this.socket = new WebSocket(this.url);
    before?.close();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.wait = firstWait;
      this.on.state('connected', true);
    };
    socket.onmessage = event => {
      if (socket !== this.socket) return;
      const frame = JSON.parse(event.data);
      if (frame.changed) this.on.changed();
      else {
        this.on.notification(frame);
        this.acknowledge(frame.id);
      }
    };
    socket.onclose = event => {
      if (socket !== this.socket) return;
      this.socket = null;
      this.acks = [];   // they come again, and are acknowledged then
      this.on.state(navigator.onLine ? event.reason || 'not connected' : 'offline', false);
      if (!navigator.onLine) return;
      this.timer = setTimeout(() => this.connect(), this.wait * (0.5 + Math.random() / 2));   // not all clients at once
      this.wait = Math.min(2 * this.wait, longestWait);
    };
  }

  acknowledge(id) {
    this.acks.push(id);
    if (this.acks.length > 1) return;
    setTimeout(() => {
      while (this.acks.length > 0 && this.socket?.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify({ ack: this.acks.splice(0, mostIds) }));
      }
    }, ackWait);
  }
}
