// What a client knows of its rooms: messages in their order, what was missed, what is not sent yet, who read what. No DOM.
import { HubError } from './connection.js';

const pageSize = 50;
const catchUpSize = 200;
const maxEarly = 1_000;
const markMs = 250;             // marks are told to the server at most so often
const typingMs = 2_000;         // as is that the user is typing
const typingShownMs = 3_000;
const retryMs = 1_000;          // of a message that the server cannot take now
const firstPauseMs = 100, maxPauseMs = 3_000;

const pathOf = room => `/api/messages/room/${encodeURIComponent(room.id)}`;
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** One room. */
class Room {
  members = new Map();          // user id → { online, isMember, deliveredUpTo, readUpTo }
  messages = [];                // without a gap from the first one to the mark
  mark = null;                  // the sequence of the last message before which none is missing; null until the newest page is there
  head = 0;                     // the highest sequence heard of
  early = new Map();            // what arrived above a gap: previous sequence → message
  unsent = [];                  // own messages that are not in messages: 'waiting', 'failed' or 'sent'
  typing = new Map();           // user id → until when it is shown
  cursor = null;                // for the page before the first message; null: there is none
  readUpTo = 0;
  toldRead = 0;                 // what the server knows
  toldDelivered = 0;
  ownerId = null;               // who may remove others
  unreadBefore = 0;             // unread messages up to countedUpTo that are not in messages
  countedUpTo = 0;
  lastText = '';
  lastActivity = null;
  ids = new Set();

  constructor(id) { this.id = id; }

  get hasOlder() { return this.cursor !== null; }

  /** Unread messages of others. */
  unread(userId) {
    let count = 0, at = this.messages.length - 1;
    for (; at >= 0 && this.messages[at].sequence > this.readUpTo; at--) if (this.messages[at].userId !== userId) count++;
    return at < 0 && (this.hasOlder || this.mark === null) ? count + this.unreadBefore : count;
  }
}

/** The rooms of a user. `connection` is a Connection, `get` reads JSON from a path, `changed(room)` is called after each change, `stored` keeps texts. */
export class Chat {
  rooms = new Map();
  open = '';                    // the id of the room that is looked at; it is fetched first

  #connection;
  #get;
  #changed;
  #stored;

  constructor({ connection, get, userId, changed, removed = () => {}, stored = sessionStorage }) {
    this.userId = userId;
    this.#connection = connection;
    this.#get = get;
    this.#changed = changed;
    this.#stored = stored;
    const handlers = {
      message: message => this.#receive(message),
      member: ({ roomId, userId, joined }) => this.#in(roomId, room => this.#member(room, userId, joined)),
      presence: ({ roomId, userId, online }) => this.#in(roomId, room => { this.#memberOf(room, userId).online = online; }),
      marker: marker => this.#in(marker.roomId, room => this.#marker(room, marker)),
      typing: ({ roomId, userId }) => this.#in(roomId, room => this.#typing(room, userId)),
      removed: ({ roomId, reason }) => { if (this.rooms.delete(roomId)) { changed(null); removed(roomId, reason); } },
    };
    for (const [name, handler] of Object.entries(handlers)) connection.on(name, handler);
    connection.onConnected = () => this.connected();
    for (const [roomId, unsent] of Object.entries(JSON.parse(stored.getItem(this.#unsentKey) ?? '{}'))) this.#room(roomId).unsent = unsent;
  }

  get unread() {
    let count = 0;
    for (const room of this.rooms.values()) count += room.unread(this.userId);
    return count;
  }

  /** After each connect: what changed meanwhile is fetched, what was not sent is sent. */
  async connected() {
    await this.#whileConnected(async () => {
      const list = await this.#connection.invoke('Rooms');
      const joined = new Set(list.map(entry => entry.roomId));
      for (const id of this.rooms.keys()) if (!joined.has(id)) this.rooms.delete(id);
      for (const entry of list) {
        const room = this.#room(entry.roomId);
        if (room.mark === null) {
          room.unreadBefore = entry.unread;
          room.countedUpTo = entry.head;
        }
        room.lastText = entry.lastText ?? '';
        room.lastActivity = entry.lastActivity;
      }
      this.#changed(null);
      list.sort((one, other) => (other.roomId === this.open) - (one.roomId === this.open));
      for (const { roomId } of list) {
        await this.join(roomId).catch(problem => { if (!(problem instanceof HubError)) throw problem; });   // removed meanwhile
      }
    });
  }

  /** Enters a room, or is told of it what changed. */
  async join(roomId) {
    const view = await this.#connection.invoke('Join', roomId);
    const room = this.#room(roomId);
    room.members = new Map(view.members.map(member => [member.userId, member]));
    room.head = Math.max(room.head, view.head);
    room.readUpTo = Math.max(room.readUpTo, view.readUpTo);
    room.ownerId = view.ownerId;
    room.toldRead = view.readUpTo;
    room.toldDelivered = room.members.get(this.userId)?.deliveredUpTo ?? 0;
    this.#changed(room);
    this.#flush(room);
    this.#tellMarks(room);
    await this.#catchUp(room);
    return room;
  }

  async leave(room) {
    await this.#connection.invoke('Leave', room.id);
    this.rooms.delete(room.id);
    this.#keepUnsent();
    this.#changed(null);
  }

  /** Removes another member; the owner of the room may. */
  async remove(room, userId) { await this.#connection.invoke('Remove', room.id, userId); }

  /** Sends a text, now or when there is a connection again. */
  send(room, text) {
    room.unsent.push({ messageId: crypto.randomUUID(), roomId: room.id, userId: this.userId, text, timestamp: new Date().toISOString(), state: 'waiting' });
    room.typed = 0;
    this.#keepUnsent();
    this.#changed(room);
    this.#flush(room);
  }

  /** Sends a message again that the server refused. It has the same id, so it is there once. */
  resend(room, message) {
    message.state = 'waiting';
    this.#changed(room);
    this.#flush(room);
  }

  discard(room, message) {
    room.unsent = room.unsent.filter(other => other !== message);
    this.#keepUnsent();
    this.#changed(room);
  }

  /** Says that the user has seen everything up to a sequence. */
  read(room, upTo) {
    if (upTo <= room.readUpTo) return;
    room.readUpTo = upTo;
    this.#changed(room);
    this.#tellMarks(room);
  }

  /** Says that the user is writing. */
  type(room) {
    if (!this.#connection.isConnected || Date.now() - (room.typed ?? 0) < typingMs) return;
    room.typed = Date.now();
    this.#connection.invoke('Typing', room.id).catch(() => {});
  }

  /** Fetches the page before the first message. */
  async loadOlder(room) {
    if (!room.hasOlder || room.loading) return;
    room.loading = true;
    try {
      const older = (await this.#history(room, room.cursor)).filter(message => !room.ids.has(message.messageId));
      for (const message of older) this.#know(room, message);
      room.messages.unshift(...older);
    } finally {
      room.loading = false;
    }
    this.#changed(room);
  }

  /** Up to which sequence somebody else has received and read. */
  marksOf(room) {
    const marks = { delivered: 0, read: 0 };
    for (const [userId, member] of room.members) {
      if (userId === this.userId) continue;
      marks.read = Math.max(marks.read, member.readUpTo);
      marks.delivered = Math.max(marks.delivered, member.deliveredUpTo, member.readUpTo);
    }
    return marks;
  }

  get #unsentKey() { return `unsent-${this.userId}`; }

  #room(id) {
    if (!this.rooms.has(id)) this.rooms.set(id, new Room(id));
    return this.rooms.get(id);
  }

  #in(roomId, change) {
    const room = this.rooms.get(roomId);
    if (room === undefined) return;
    change(room);
    this.#changed(room);
  }

  // --- Messages that arrive -----------------------------------------------------------------------------------------------------

  #receive(message) {
    const room = this.#room(message.roomId);
    room.head = Math.max(room.head, message.sequence);
    room.typing.delete(message.userId);
    if (room.early.size < maxEarly) room.early.set(message.previous, message);
    this.#drain(room);
    this.#catchUp(room);
    this.#changed(room);
  }

  // The mark moves only here: over the message that follows it.
  #append(room, message) {
    room.mark = message.sequence;
    room.unsent = room.unsent.filter(own => own.messageId !== message.messageId);
    if (room.ids.has(message.messageId)) return;   // sent twice by its sender
    this.#know(room, message);
    room.messages.push(message);
    room.lastText = message.text;
    room.lastActivity = message.timestamp;
  }

  #know(room, message) {
    room.ids.add(message.messageId);
    const isUnread = message.sequence > room.readUpTo && message.userId !== this.userId;
    if (isUnread && message.sequence <= room.countedUpTo) room.unreadBefore--;
  }

  #drain(room) {
    if (room.mark === null) return;
    for (let next; (next = room.early.get(room.mark)) !== undefined;) this.#append(room, next);
    for (const [previous, message] of room.early) if (message.sequence <= room.mark) room.early.delete(previous);
    this.#keepUnsent();
    this.#tellMarks(room);
  }

  // Fetches until nothing is missing below what was heard of. The storage may be a moment behind what was sent.
  async #catchUp(room) {
    if (room.catching || (room.mark !== null && room.mark >= room.head)) return;
    room.catching = true;
    let wait = firstPauseMs;
    while (this.#connection.isConnected && this.rooms.get(room.id) === room && (room.mark === null || room.mark < room.head)) {
      const before = room.mark;
      try {
        if (room.mark === null) {
          const messages = await this.#history(room);
          room.mark = 0;
          for (const message of messages) this.#append(room, message);
        } else {
          const { messages } = await this.#get(`${pathOf(room)}?limit=${catchUpSize}&after=${room.mark}`);   // the oldest first, without gaps
          for (const message of messages) if (message.sequence > room.mark) this.#append(room, message);
        }
      } catch { /* again, after a while */ }
      this.#drain(room);
      this.#changed(room);
      if (room.mark === before) {
        await pause(wait);
        wait = Math.min(wait * 2, maxPauseMs);
      }
    }
    room.catching = false;
  }

  async #history(room, before) {
    const from = before === undefined ? '' : `&before=${encodeURIComponent(before)}`;
    const page = await this.#get(`${pathOf(room)}?limit=${pageSize}${from}`);
    room.cursor = page.next;
    return page.messages.reverse();
  }

  // --- Messages that leave ------------------------------------------------------------------------------------------------------

  // One after the other, so that they arrive in the order in which they were written.
  async #flush(room) {
    if (room.sending) return;
    room.sending = true;
    for (let message; this.#connection.isConnected && (message = room.unsent.find(own => own.state === 'waiting')) !== undefined;) {
      try {
        const { sequence } = await this.#connection.invoke('Send', { roomId: room.id, messageId: message.messageId, text: message.text });
        message.sequence = sequence;
        message.state = 'sent';
      } catch (problem) {
        if (!(problem instanceof HubError)) break;   // the connection; sent again by connected()
        if (problem.isTransient) {
          await pause(retryMs);
        } else {
          message.state = 'failed';
          message.problem = problem.message;
        }
      }
      this.#keepUnsent();
      this.#changed(room);
    }
    room.sending = false;
  }

  // So that a reload of the page does not lose them.
  #keepUnsent() {
    const unsent = [...this.rooms.values()].filter(room => room.unsent.length > 0).map(room => [room.id, room.unsent]);
    const text = JSON.stringify(Object.fromEntries(unsent));
    if (text !== this.#stored.getItem(this.#unsentKey)) this.#stored.setItem(this.#unsentKey, text);
  }

  // --- Members ------------------------------------------------------------------------------------------------------------------

  #memberOf(room, userId) {
    if (!room.members.has(userId)) room.members.set(userId, { userId, online: false, isMember: true, deliveredUpTo: 0, readUpTo: 0 });
    return room.members.get(userId);
  }

  #member(room, userId, joined) {
    Object.assign(this.#memberOf(room, userId), { isMember: joined, online: joined });
  }

  #marker(room, { userId, deliveredUpTo, readUpTo }) {
    const member = this.#memberOf(room, userId);
    member.deliveredUpTo = Math.max(member.deliveredUpTo, deliveredUpTo);
    member.readUpTo = Math.max(member.readUpTo, readUpTo);
    if (userId === this.userId) room.readUpTo = Math.max(room.readUpTo, readUpTo);   // read on another device
  }

  #typing(room, userId) {
    if (userId === this.userId) return;
    room.typing.set(userId, Date.now() + typingShownMs);
    setTimeout(() => {
      if ((room.typing.get(userId) ?? Infinity) <= Date.now()) { room.typing.delete(userId); this.#changed(room); }
    }, typingShownMs + 50);
  }

  #tellMarks(room) {
    if (room.telling) return;
    room.telling = true;
    setTimeout(async () => {
      let again = false;
      try {
        const { readUpTo, mark } = room;
        if (readUpTo > room.toldRead) {
          await this.#connection.invoke('Read', room.id, readUpTo);
          room.toldRead = room.toldDelivered = readUpTo;
        }
        if (mark > room.toldDelivered) {
          await this.#connection.invoke('Delivered', room.id, mark);
          room.toldDelivered = mark;
        }
        again = room.readUpTo > readUpTo || room.mark > mark;
      } catch (problem) {
        again = problem.isTransient;   // else told after the next Join, or not at all
      }
      room.telling = false;
      if (again) this.#tellMarks(room);
    }, markMs);
  }

  // A lost connection is not an error: connected() does all of it again.
  async #whileConnected(work) {
    if (!this.#connection.isConnected) return;
    try {
      await work();
    } catch (problem) {
      if (this.#connection.isConnected) throw problem;
    }
  }
}
