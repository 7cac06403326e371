// Runs each scenario on a Chat of its own. Returns { scenario: 'passed' or what was wrong }.
async () => {
  const { Chat } = await import('/chat.js');
  const { HubError } = await import('/connection.js');
  const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

  const until = async (condition, what) => {
    const end = Date.now() + 10_000;
    while (!condition()) {
      if (Date.now() > end) throw new Error(`never: ${what}`);
      await pause(5);
    }
  };
  const same = (actual, expected, what) => {
    if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
  };

  // A server with one room, and the connection to it.
  class Server {
    log = [];
    calls = [];
    events = {};
    isConnected = true;
    delivers = true;      // whether messages are delivered live
    answering = null;     // REST answers wait for it
    onSend = () => {};

    on(name, handler) { this.events[name] = handler; }

    write(text, userId = 'ann', messageId = crypto.randomUUID()) {
      const before = this.log.at(-1)?.sequence ?? 0;
      const message = { messageId, roomId: 'r', userId, text, sequence: before + 3, previous: before, timestamp: '2026-11-30T12:00:00Z' };
      this.log.push(message);
      if (this.delivers && this.isConnected) this.events.message?.(message);
      return message;
    }

    async invoke(name, argument, ...more) {
      if (!this.isConnected) throw new Error('There is no connection.');
      this.calls.push([name, argument, ...more]);
      await pause(1);
      const head = this.log.at(-1)?.sequence ?? 0;
      if (name === 'Rooms') return [{ roomId: 'r', unread: this.log.length, readUpTo: 0, head, lastText: null, lastActivity: null }];
      if (name === 'Join') {
        const members = ['me', 'ann'].map(userId => ({ userId, online: true, isMember: true, deliveredUpTo: 0, readUpTo: 0 }));
        return { roomId: 'r', head, firstSequence: 0, readUpTo: 0, ownerId: 'ann', members };
      }
      if (name !== 'Send') return null;
      this.onSend('before');
      const { messageId, text } = argument;
      const { sequence } = this.log.find(message => message.messageId === messageId) ?? this.write(text, 'me', messageId);
      this.onSend('after');
      return { messageId, status: 'sent', sequence };
    }

    async get(path) {
      await this.answering;
      const query = new URL(path, location).searchParams;
      const limit = Number(query.get('limit')), after = query.get('after');
      const before = Number(query.get('before') ?? Infinity);
      const found = after !== null ? this.log.filter(({ sequence }) => sequence > Number(after)).slice(0, limit)
        : this.log.filter(({ sequence }) => sequence < before).slice(-limit).reverse();
      const messages = found.map(({ previous, ...message }) => message);
      return { roomId: 'r', messages, next: messages.length === limit ? String(messages.at(-1).sequence) : null, head: 0 };
    }
  }

  const start = async (count = 0) => {
    const server = new Server();
    for (let number = 1; number <= count; number++) server.write(`old ${number}`);
    const kept = new Map();
    const stored = { getItem: key => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
    const open = () => new Chat({ connection: server, get: path => server.get(path), userId: 'me', changed: () => {}, stored });
    const chat = open();
    await chat.connected();
    return { server, chat, room: chat.rooms.get('r'), open };
  };
  const texts = room => room.messages.map(message => message.text);

  const scenarios = {
    async 'a live message above a gap hides nothing'() {
      const { server, room } = await start(2);
      let answer;
      server.answering = new Promise(resolve => { answer = resolve; });
      server.delivers = false;
      server.write('missed');
      server.delivers = true;
      server.write('live');
      server.write('live too');
      await pause(20);
      same(texts(room), ['old 1', 'old 2'], 'before the answer');
      same(room.mark, 6, 'the mark');
      answer();
      await until(() => room.messages.length === 5, 'the gap is filled');
      same(texts(room).slice(2), ['missed', 'live', 'live too'], 'after the answer');
    },
    async 'a message that comes twice is there once'() {
      const { server, room } = await start(1);
      const message = server.write('twice');
      server.events.message(message);
      server.events.message({ ...message, sequence: message.sequence + 1, previous: message.sequence });
      same(texts(room), ['old 1', 'twice'], 'the messages');
      server.events.message({ ...message, messageId: 'next', text: 'next', sequence: message.sequence + 2, previous: message.sequence + 1 });
      same(texts(room), ['old 1', 'twice', 'next'], 'the messages');
    },
    async 'own messages keep their order, and are there once, before or after the answer'() {
      const { server, chat, room } = await start();
      chat.send(room, 'one');
      server.onSend = moment => { server.delivers = moment === 'after'; };
      chat.send(room, 'two');
      await until(() => room.unsent.every(message => message.state === 'sent') && server.log.length === 2, 'both are sent');
      same(texts(room).concat(room.unsent.map(({ text }) => text)), ['one', 'two'], 'what is shown');
      for (const message of server.log) server.events.message(message);
      same(texts(room), ['one', 'two'], 'the messages');
      same(room.unsent, [], 'unsent');
    },
    async 'a message whose answer is lost is sent again with the same id'() {
      const { server, chat, room } = await start();
      server.onSend = moment => {
        if (moment === 'before') server.delivers = false;
        else { server.isConnected = false; throw new Error('The connection was lost.'); }
      };
      chat.send(room, 'one');
      chat.send(room, 'two');
      await until(() => !server.isConnected, 'the connection is lost');
      await pause(5);
      same(room.unsent.map(({ state }) => state), ['waiting', 'waiting'], 'states');
      server.onSend = () => {};
      server.write('of ann');
      server.isConnected = server.delivers = true;
      await chat.connected();
      await until(() => room.unsent.length === 0, 'all are sent');
      same(texts(room), ['one', 'of ann', 'two'], 'the messages');
      same(new Set(server.calls.filter(([name]) => name === 'Send').map(([, { messageId }]) => messageId)).size, 2, 'ids');
    },
    async 'what waits survives a reload of the page'() {
      const { server, chat, room, open } = await start();
      server.isConnected = false;
      chat.send(room, 'kept');
      const next = open();
      server.isConnected = true;
      await next.connected();
      await until(() => texts(next.rooms.get('r')).includes('kept'), 'it is sent');
    },
    async 'a refused message says why, and is sent again on request; a busy server is asked again'() {
      const { server, chat, room } = await start();
      server.onSend = () => { server.onSend = () => {}; throw new HubError('An error. HubException: invalid: Too long.'); };
      chat.send(room, 'one');
      await until(() => room.unsent[0]?.state === 'failed', 'it is refused');
      same(room.unsent[0].problem, 'Too long.', 'the problem');
      server.onSend = () => { server.onSend = () => {}; throw new HubError('An error. HubException: unavailable: Kafka does not answer.'); };
      chat.resend(room, room.unsent[0]);
      await until(() => texts(room).includes('one'), 'it is sent');
    },
    async 'unread messages are counted, and read with one mark'() {
      const { server, chat, room } = await start(120);
      same(room.unread('me'), 120, 'unread');
      server.write('own', 'me');
      server.write('new');
      same(room.unread('me'), 121, 'unread');
      chat.read(room, room.messages.at(-2).sequence);
      same(room.unread('me'), 1, 'unread');
      chat.read(room, room.mark);
      chat.read(room, 3);
      same(room.unread('me'), 0, 'unread');
      await until(() => server.calls.some(([name, id, upTo]) => name === 'Read' && upTo === room.mark), 'the server knows');
      await chat.loadOlder(room);
      await chat.loadOlder(room);
      same(room.hasOlder, false, 'hasOlder');
      same(texts(room), [...Array.from({ length: 120 }, (_, index) => `old ${index + 1}`), 'own', 'new'], 'all messages');
    },
    async 'receipts never go back, and a room that was left is gone'() {
      const { server, chat, room } = await start(3);
      server.events.marker({ roomId: 'r', userId: 'ann', deliveredUpTo: 9, readUpTo: 3 });
      server.events.marker({ roomId: 'r', userId: 'ann', deliveredUpTo: 6, readUpTo: 0 });
      same(chat.marksOf(room), { delivered: 9, read: 3 }, 'receipts');
      server.events.removed({ roomId: 'r', reason: 'removed' });
      same(chat.rooms.size, 0, 'rooms');
    },
  };

  const results = {};
  for (const [name, scenario] of Object.entries(scenarios)) {
    results[name] = await scenario().then(() => 'passed', problem => `${problem.message} ${problem.stack}`);
  }
  return results;
}
