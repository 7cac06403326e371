// A device of a user: bell, toasts, and the list.
import { element, tell } from './sample.js';
import { NotificationSocket } from './socket.js';

const pageSize = 20, mostToasts = 3, toastTime = 8_000, mostKnown = 2_000, refreshWait = 100, refreshInterval = 30_000;
const filters = { all: ['pending', 'delivered', 'seen', 'read'], unread: ['pending', 'delivered', 'seen'], archived: ['archived'] };

export class Panel {
  constructor(template, userId, index) {
    this.root = template.cloneNode(true).firstElementChild;
    this.index = index;
    this.items = new Map();   // id → list item, in the order of the list
    this.socket = new NotificationSocket({
      notification: notification => this.arrived(notification),
      changed: () => this.refreshSoon(),
      state: (text, isConnected) => this.showState(text, isConnected),
    });
    this.part('.user').addEventListener('submit', event => { event.preventDefault(); this.use(this.part('[name=userId]').value.trim()); });
    this.part('.token').addEventListener('submit', event => {
      event.preventDefault();
      this.token = this.part('[name=token]').value.trim();
      this.use(this.userId);
    });
    this.part('.bell').addEventListener('click', () => this.toggle());
    this.part('.filter').addEventListener('change', () => { this.shown = pageSize; this.refresh(); });
    this.part('.older').addEventListener('click', () => { this.shown += pageSize; this.refresh(); });
    this.part('.readAll').addEventListener('click', () => this.change(`/notifications/read-all${this.upTo()}`));
    this.root.addEventListener('keydown', event => {
      if (event.key === 'Escape' && !this.part('.inbox').hidden) {
        this.toggle();
        this.part('.bell').focus();
      }
    });
    setInterval(() => { if (!document.hidden) this.refresh(); }, refreshInterval);   // what has expired
    this.part('[name=userId]').value = userId;
    this.use(userId);
  }

  part(selector) { return this.root.querySelector(selector); }

  /** Becomes a device of another user. */
  use(userId) {
    this.userId = userId;
    this.shown = pageSize;
    this.newest = this.seenUpTo = this.unseen = 0;   // positions
    this.items.clear();
    this.part('.list').replaceChildren();
    this.part('.toasts').replaceChildren();
    this.storageKey = `notifications-${this.index}-${userId}`;
    this.known = new Set(JSON.parse(sessionStorage.getItem(this.storageKey) ?? '[]'));   // a reload shows no toast twice
    this.root.setAttribute('aria-label', `Notifications of ${userId}`);
    this.part('.bell').setAttribute('aria-label', `Notifications of ${userId}`);
    this.showState('connecting …', false);
    this.socket.open(userId, this.token);
    this.refresh();
  }

  async call(path, method = 'GET', body = undefined) {
    const url = new URL(path, location.href);
    url.searchParams.set('userId', this.userId);
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    let response;
    try {
      response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch {
      throw new Error('The service does not answer.');
    }
    if (response.status === 401) this.part('.token').hidden = false;
    const content = (response.headers.get('Content-Type') ?? '').includes('json') ? await response.json() : undefined;
    if (!response.ok) {
      throw new Error(Object.values(content?.errors ?? {}).flat().join(' ') || content?.detail || content?.title || `The service answered ${response.status}.`);
    }
    if (this.token) this.part('.token').hidden = true;
    return content;
  }

  arrived(notification) {
    if (this.known.has(notification.id)) return;
    this.known.add(notification.id);
    if (this.known.size > mostKnown) this.known.delete(this.known.values().next().value);
    this.toast(notification.message);
    this.refreshSoon();
  }

  toast(text) {
    const toasts = this.part('.toasts');
    const close = element('button', { type: 'button', 'aria-label': 'Close' }, '×');
    const toast = element('div', { class: 'toast' }, element('div', { class: 'text' }, text), close);
    const remove = () => toast.remove();
    close.addEventListener('click', remove);
    setTimeout(remove, toastTime);
    toasts.prepend(toast);
    while (toasts.children.length > mostToasts) toasts.lastElementChild.remove();
  }

  showState(text, isConnected) {
    const chip = this.part('.state');
    chip.textContent = text;
    chip.className = `chip state ${isConnected ? 'good' : 'wait'}`;
    if (isConnected) this.refreshSoon();
  }

  toggle() {
    const isOpen = this.part('.inbox').hidden;
    this.part('.inbox').hidden = !isOpen;
    this.part('.bell').setAttribute('aria-expanded', String(isOpen));
    if (isOpen) this.see();
  }

  // What the list shows is seen, and nothing that came since it was read.
  async see() {
    if (this.newest <= this.seenUpTo || this.unseen === 0 || document.hidden) return;
    this.seenUpTo = this.newest;
    await this.change(`/notifications/seen-all${this.upTo()}`);
  }

  upTo() { return `?upTo=${this.newest}`; }

  async change(path) {
    try {
      await this.call(path, 'PUT');
    } catch (problem) {
      this.tell(problem.message);
    }
    await this.refresh();
  }

  refreshSoon() {
    this.timer ??= setTimeout(() => { this.timer = undefined; this.refresh(); }, refreshWait);
  }

  async refresh() {
    const userId = this.userId;
    const filter = this.part('.filter').value;
    const states = filters[filter].map(state => `state=${state}`).join('&');
    const round = this.round = (this.round ?? 0) + 1;
    let page;
    try {
      page = await this.call(`/notifications?${states}&limit=${Math.min(this.shown, 500)}`);
    } catch (problem) {
      if (round === this.round) this.tell(problem.message);
      return;
    }
    if (userId !== this.userId || round !== this.round) return;
    this.tell('');
    this.show(page, filter);
    sessionStorage.setItem(this.storageKey, JSON.stringify([...this.known]));
  }

  show(page, filter) {
    const { counts } = page;
    if (filter !== 'archived') this.newest = Math.max(this.newest, page.items[0]?.position ?? 0);
    this.unseen = counts.pending + counts.delivered;
    const badge = this.part('.badge');
    badge.textContent = this.unseen > 999 ? '999+' : this.unseen;
    badge.hidden = this.unseen === 0;
    this.part('.bell').setAttribute('aria-label', `Notifications of ${this.userId}, ${this.unseen} new`);
    this.part('.count').textContent = `${page.count} ${page.count === 1 ? 'notification' : 'notifications'}`;
    this.part('.empty').hidden = page.items.length > 0;
    this.part('.older').hidden = page.next === null;
    this.part('.readAll').disabled = counts.pending + counts.delivered + counts.seen === 0;

    const list = this.part('.list');
    const wanted = new Set(page.items.map(item => item.id));
    for (const [id, item] of this.items) {
      if (!wanted.has(id)) {
        item.root.remove();
        this.items.delete(id);
      }
    }
    let before = list.firstElementChild;
    for (const notification of page.items) {
      if (!this.items.has(notification.id)) this.items.set(notification.id, this.makeItem(notification));
      const item = this.items.get(notification.id);
      this.updateItem(item, notification.state);
      if (item.root === before) before = before.nextElementSibling;
      else list.insertBefore(item.root, before);
    }
    if (!this.part('.inbox').hidden) this.see();
  }

  makeItem({ id, message, timestamp }) {
    const state = element('span', { class: 'chip' });
    const button = (text, path) => {
      const made = element('button', { type: 'button', 'aria-label': `${text}: ${message}` }, text);
      made.addEventListener('click', () => this.change(`/notifications/${encodeURIComponent(id)}/${path}`));
      return made;
    };
    const read = button('Read', 'read'), archive = button('Archive', 'archived');
    const time = element('time', { datetime: timestamp, class: 'grow' }, new Date(timestamp).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' }));
    const root = element('li', { 'data-id': id }, element('div', { class: 'text' }, message), element('div', { class: 'soft row' }, time, state, read, archive));
    return { root, state, read, archive };
  }

  updateItem({ root, state, read, archive }, value) {
    state.textContent = value;
    const isUnread = filters.unread.includes(value);
    state.className = `chip ${isUnread ? 'wait' : 'good'}`;
    root.className = isUnread ? 'new' : '';
    read.hidden = !isUnread;
    archive.hidden = value === 'archived';
  }

  tell(text) { tell(this.part('.problem'), text); }
}
