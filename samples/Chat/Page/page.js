import { byId, call, element, submitOnEnter, tell } from './sample.js';
import { Chat } from './chat.js';
import { Connection } from './connection.js';
import { indexOf, MessageList } from './list.js';

const maxTextBytes = 4096;
const maxUnreadLoaded = 200;    // so far back a room is opened at its first unread message
const groupMs = 5 * 60_000;     // messages of one user within this time stand together
const connection = new Connection('chat');

let chat = null;                // of the user that is signed in
let room = null;                // that is looked at
let divider = null;             // new messages are behind this sequence
let drafts = new Map();         // room id → text that was not sent

const list = new MessageList(byId('messages'), byId('list'), { rowsOf, loadOlder, scrolled: () => { see(); showJump(); } });

// --- Session ----------------------------------------------------------------------------------------------------------------------

async function begin() {
  const session = await call('api/session').catch(() => undefined);
  if (session) signedIn(session); else signedOut();
}

function signedIn({ userId, name }) {
  byId('signIn').hidden = true;
  byId('app').hidden = false;
  byId('myName').textContent = name;
  paint(byId('me'), userId);
  chat = new Chat({ connection, get: call, userId, changed, removed });
  showState('Connecting …');
  connection.start();
  navigate();
}

function signedOut() {
  connection.stop();
  chat = room = divider = null;
  drafts = new Map();
  byId('app').hidden = true;
  byId('signIn').hidden = false;
  document.title = 'Chat';
  byId('name').focus();
}

byId('signInForm').addEventListener('submit', async event => {
  event.preventDefault();
  tell(byId('signInProblem'), '');
  try {
    signedIn(await call('api/session', 'POST', { name: byId('name').value }));
  } catch (problem) {
    tell(byId('signInProblem'), problem.message);
  }
});

byId('signOut').addEventListener('click', async () => {
  connection.stop();
  await call('api/session', 'DELETE').catch(() => {});
  location.hash = '';
  signedOut();
});

connection.onDisconnected = async attempt => {
  showState(attempt === 1 ? 'Connecting again …' : 'Offline; trying again …', 'wait');
  // A server that is there and knows no session has ended it.
  if (attempt > 1 && await call('api/session').then(session => !session, problem => problem.status === 401)) signedOut();
};

function showState(text, kind = '') {
  byId('state').textContent = text;
  byId('state').className = kind;
}

// --- Rooms ------------------------------------------------------------------------------------------------------------------------

// The address says which room is looked at, so that the way back is the browser's.
const roomInAddress = () => decodeURIComponent(location.hash.slice(1));
addEventListener('hashchange', navigate);

function navigate() {
  if (chat === null) return;
  const id = roomInAddress();
  chat.open = id;
  const next = chat.rooms.get(id) ?? null;
  if (next === room && room !== null) return;
  if (room !== null) drafts.set(room.id, byId('text').value);
  room = next;
  divider = null;
  byId('app').className = id === '' ? '' : 'in-room';
  byId('room').hidden = room === null;
  byId('nothing').hidden = room !== null;
  tell(byId('notice'), '');
  if (room !== null) open();
  showSoon();
}

async function open() {
  byId('text').value = drafts.get(room.id) ?? '';
  resizeText();
  const opened = room, unread = room.unread(chat.userId);
  if (unread > 0) divider = room.readUpTo;
  list.open(room.messages, divider);
  if (matchMedia('(hover: hover)').matches) byId('text').focus();
  while (divider !== null && room === opened && room.hasOlder && room.messages[0]?.sequence > divider && room.messages.length < maxUnreadLoaded) {
    if (!await loadOlder()) return;
    if (room === opened) list.open(room.messages, divider);
  }
}

function changed(which) {
  // The room of the address may have been fetched only now; its newest messages too.
  if (room === null && chat.rooms.get(roomInAddress())?.mark != null) navigate();
  else if (room !== null && !chat.rooms.has(room.id)) { room = null; navigate(); }
  if (connection.isConnected) showState('Online', 'good');
  if (which === room && room !== null) hear();
  showSoon();
}

function removed(roomId, reason) {
  if (reason !== 'left') tell(byId('joinProblem'), `You were removed from ${roomId}.`);
}

byId('join').addEventListener('submit', async event => {
  event.preventDefault();
  const id = byId('joinName').value.trim().toLowerCase().replace(/\s+/g, '-');
  if (await enter(id)) byId('joinName').value = '';
});
byId('nothingJoin').addEventListener('click', () => enter(roomInAddress()));

async function enter(id) {
  tell(byId('joinProblem'), '');
  try {
    await chat.join(id);
    location.hash = encodeURIComponent(id);
    navigate();
    return true;
  } catch (problem) {
    tell(byId('joinProblem'), problem.message);
    return false;
  }
}

byId('leave').addEventListener('click', async () => {
  if (!confirm(`Leave ${room.id}?`)) return;
  try {
    await chat.leave(room);
    location.hash = '';
  } catch (problem) {
    tell(byId('notice'), problem.message);
  }
});
byId('back').addEventListener('click', () => { location.hash = ''; });
byId('people').addEventListener('click', () => { byId('members').hidden = !byId('members').hidden; showSoon(); });
byId('members').hidden = !matchMedia('(min-width: 64rem)').matches;

addEventListener('keydown', event => {
  if (chat === null) return;
  if (event.key === 'Escape') {
    if (!byId('members').hidden && !matchMedia('(min-width: 64rem)').matches) byId('members').hidden = true;
    else if (room !== null && !list.isAtEnd) list.toNewest();
    else location.hash = '';
  } else if (event.altKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
    event.preventDefault();
    const rooms = sortedRooms();
    const at = rooms.indexOf(room) + (event.key === 'ArrowDown' ? 1 : -1);
    if (rooms.length > 0) location.hash = encodeURIComponent(rooms[(at + rooms.length) % rooms.length].id);
  }
});

// --- Messages ---------------------------------------------------------------------------------------------------------------------

async function loadOlder() {
  const count = room.messages.length;
  try {
    await chat.loadOlder(room);
  } catch (problem) {
    tell(byId('notice'), problem.message);
  }
  return room !== null && room.messages.length > count;
}

// What is in sight was read, while the user looks at the page.
function see() {
  if (room !== null && !document.hidden && document.hasFocus()) chat.read(room, list.lastInSight());
}
addEventListener('focus', see);
document.addEventListener('visibilitychange', see);

let spokenOf = null;

// For a message that arrived in the room that is looked at.
function hear() {
  const last = room.messages.at(-1);
  if (last === undefined || last.messageId === spokenOf) return;
  const isLater = spokenOf !== null && last.userId !== chat.userId && last.sequence > room.readUpTo;
  spokenOf = last.messageId;
  if (!isLater) return;
  byId('spoken').textContent = `${last.userId}: ${last.text}`;
  if (divider === null && (!list.isAtEnd || document.hidden || !document.hasFocus())) divider = room.readUpTo;
}

byId('jump').addEventListener('click', () => { list.toNewest(); byId('text').focus(); });
submitOnEnter(byId('text'));
byId('text').addEventListener('input', () => { resizeText(); if (byId('text').value !== '') chat.type(room); });

function resizeText() {
  const text = byId('text');
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + 2}px`;
  const over = new TextEncoder().encode(text.value).length - maxTextBytes;
  tell(byId('tooLong'), over > 0 ? `The message is ${over} bytes too long.` : '');
  byId('send').disabled = over > 0 || text.value.trim() === '';
}

byId('compose').addEventListener('submit', event => {
  event.preventDefault();
  if (byId('send').disabled) return;
  divider = null;
  chat.send(room, byId('text').value.trim());
  byId('text').value = '';
  resizeText();
  list.toNewest();
  byId('text').focus();
});

function rowsOf(messages, start, end) {
  const rows = [];
  if (start === 0) {
    const text = room.hasOlder ? 'Earlier messages …' : room.mark === null ? 'Loading …' : `This is the beginning of ${room.id}.`;
    rows.push({ key: 'top', state: text, make: () => element('li', { class: 'line soft' }, text) });
  }
  const marks = chat.marksOf(room);
  let firstNew = divider === null ? messages.length : indexOf(messages, divider + 1);
  while (messages[firstNew]?.userId === chat.userId) firstNew++;
  let before = messages[start - 1];
  for (const message of [...messages.slice(start, end), ...(end === messages.length ? room.unsent : [])]) {
    const isOwn = message.userId === chat.userId;
    const sequence = message.sequence ?? Infinity;
    const day = dayOf(message);
    const isNewDay = before === undefined || day !== dayOf(before);
    const isNew = message === messages[firstNew];
    if (isNewDay) rows.push({ key: `day ${day}`, state: '', make: () => element('li', { class: 'line' }, element('span', {}, day)) });
    if (isNew) rows.push({ key: 'new', state: '', make: () => element('li', { class: 'line new' }, element('span', {}, 'New messages')) });
    const isFirst = isNewDay || isNew || before.userId !== message.userId || new Date(message.timestamp) - new Date(before.timestamp) > groupMs;
    const status = !isOwn ? '' : message.state === 'waiting' || message.state === 'failed' ? message.state
      : sequence <= marks.read ? 'read' : sequence <= marks.delivered ? 'delivered' : 'sent';
    rows.push({
      key: message.messageId,
      state: `${isFirst} ${status} ${message.problem ?? ''}`,
      sequence: message.state === undefined ? message.sequence : 0,
      make: () => messageRow(message, isOwn, isFirst, status),
    });
    before = message;
  }
  return rows;
}

const statusTexts = { waiting: 'Waiting to be sent', failed: 'Not sent', sent: 'Sent', delivered: 'Delivered', read: 'Read' };

function messageRow(message, isOwn, isFirst, status) {
  const time = element('time', { datetime: message.timestamp, title: fullTime.format(new Date(message.timestamp)) }, timeOf(message));
  const bubble = element('div', { class: 'bubble' }, element('span', { class: 'text' }, message.text), element('span', { class: 'meta' }, time));
  if (status !== '') bubble.lastChild.append(icon(status === 'read' || status === 'delivered' ? 'double' : status, statusTexts[status]));
  const row = element('li', { class: `message ${isOwn ? 'own' : 'other'} ${isFirst ? 'first' : ''} ${status}`, 'data-id': message.messageId });
  if (!isOwn) {
    if (isFirst) {
      const avatar = element('span', { class: 'avatar', 'aria-hidden': 'true' });
      paint(avatar, message.userId);
      bubble.prepend(element('span', { class: 'author' }, message.userId));
      paint(bubble, message.userId, false);
      row.append(avatar);
    }
  }
  row.append(bubble);
  if (status === 'failed') {
    const owner = room;
    const again = element('button', { type: 'button' }, 'Send again');
    const discard = element('button', { type: 'button' }, 'Discard');
    again.addEventListener('click', () => chat.resend(owner, message));
    discard.addEventListener('click', () => chat.discard(owner, message));
    row.append(element('div', { class: 'failure', role: 'alert' }, element('span', { class: 'bad' }, message.problem), again, discard));
  }
  return row;
}

function icon(name, label) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  svg.append(use);
  return svg;
}

// A user's colour, and the first letter of the name.
function paint(target, userId, withLetter = true) {
  let hue = 0;
  for (const letter of userId) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  target.style.setProperty('--hue', hue);
  if (withLetter) target.textContent = [...userId][0].toUpperCase();
}

const shortTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const fullDay = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });
const shortDay = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const timeOf = message => shortTime.format(new Date(message.timestamp));

function daysAgo(date) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  return Math.round((midnight - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
}

function dayOf(message) {
  const date = new Date(message.timestamp), ago = daysAgo(date);
  return ago <= 0 ? 'Today' : ago === 1 ? 'Yesterday' : ago < 7 ? weekday.format(date) : fullDay.format(date);
}

// --- What is shown ----------------------------------------------------------------------------------------------------------------

let isDue = false;

// Once for all changes before the next frame; a page that is not looked at has no frames.
function showSoon() {
  if (isDue) return;
  isDue = true;
  const run = () => { isDue = false; if (chat !== null) show(); };
  if (document.hidden) setTimeout(run, 200); else requestAnimationFrame(run);
}

function show() {
  showRooms();
  const { unread } = chat;
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${room?.id ?? 'Chat'}`;
  if (room === null) return showNothing();
  const others = [...room.members.values()].filter(member => member.isMember);
  const online = others.filter(member => member.online).length;
  byId('roomName').textContent = room.id;
  byId('roomInfo').textContent = `${others.length} ${others.length === 1 ? 'member' : 'members'}, ${online} online`;
  showMembers(others);
  const names = [...room.typing.keys()];
  byId('typing').textContent = names.length === 0 ? '' : names.length > 2 ? 'Several people are typing …'
    : `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing …`;
  list.render();
  see();
  showJump();
}

function showNothing() {
  const id = roomInAddress();
  const isUnknown = id !== '' && connection.isConnected;
  byId('nothingText').textContent = isUnknown ? `You are not in ${id}.` : chat.rooms.size > 0 ? 'Choose a room.' : 'Join a room, or create one.';
  byId('nothingJoin').textContent = `Join ${id}`;
  byId('nothingJoin').hidden = !isUnknown;
}

function showJump() {
  const unread = room?.unread(chat.userId) ?? 0;
  byId('jump').hidden = room === null || list.isAtEnd;
  byId('jumpText').textContent = unread > 0 ? `${unread} new` : '';
  byId('jump').setAttribute('aria-label', unread > 0 ? `${unread} new messages: go to the newest` : 'Go to the newest message');
}

const sortedRooms = () => [...chat.rooms.values()].sort((one, other) =>
  (other.lastActivity ?? '').localeCompare(one.lastActivity ?? '') || one.id.localeCompare(other.id));

const roomLinks = new Map();    // what is shown of each room; it stays, and keeps the focus

function showRooms() {
  const rooms = sortedRooms();
  const known = new Set(rooms.map(({ id }) => id));
  for (const [id, link] of roomLinks) if (!known.has(id)) { link.remove(); roomLinks.delete(id); }
  rooms.forEach((one, index) => {
    if (!roomLinks.has(one.id)) {
      const link = element('a', { href: `#${encodeURIComponent(one.id)}` }, element('span', { class: 'avatar', 'aria-hidden': 'true' }),
        element('b', {}, one.id), element('time', { class: 'soft' }), element('span', { class: 'preview soft' }), element('span', { class: 'badge' }));
      paint(link.firstChild, one.id);
      roomLinks.set(one.id, link);
    }
    const link = roomLinks.get(one.id);
    const [, , time, preview, badge] = link.children;
    const unread = one.unread(chat.userId);
    const typing = one.typing.size > 0 ? 'typing …' : '';
    time.textContent = one.lastActivity === null ? '' : daysAgo(one.lastActivity) > 0 ? shortDay.format(new Date(one.lastActivity))
      : shortTime.format(new Date(one.lastActivity));
    preview.textContent = typing || one.lastText;
    badge.textContent = unread > 999 ? '999+' : unread || '';
    badge.setAttribute('aria-label', unread > 0 ? `${unread} unread` : '');
    if (one === room) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
    if (byId('rooms').children[index] !== link) byId('rooms').insertBefore(link, byId('rooms').children[index] ?? null);
  });
}

function showMembers(members) {
  if (byId('members').hidden) return;
  members.sort((one, other) => other.online - one.online || one.userId.localeCompare(other.userId));
  const isOwner = room.ownerId === chat.userId;
  const state = [room.id, isOwner, ...members.map(member => `${member.userId} ${member.online}`)].join('\n');
  if (byId('memberList').dataset.state === state) return;
  byId('memberList').dataset.state = state;
  byId('memberList').replaceChildren(...members.slice(0, 500).map(member => {
    const avatar = element('span', { class: 'avatar', 'aria-hidden': 'true' });
    paint(avatar, member.userId);
    const item = element('li', { class: member.online ? 'online' : '' }, avatar, element('span', {}, member.userId),
      element('span', { class: 'soft' }, `${member.online ? 'online' : 'offline'}${member.userId === room.ownerId ? ', owner' : ''}`));
    if (isOwner && member.userId !== chat.userId) {
      const button = element('button', { type: 'button', 'aria-label': `Remove ${member.userId}` }, 'Remove');
      button.addEventListener('click', () => remove(room, member.userId));
      item.append(button);
    }
    return item;
  }));
}

async function remove(from, userId) {
  if (!confirm(`Remove ${userId} from ${from.id}? This is for good.`)) return;
  await chat.remove(from, userId).catch(problem => tell(byId('notice'), problem.message));
}

begin();
