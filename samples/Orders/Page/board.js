// The orders in their states: what the read model lists, and what has happened since.
import { byId, call, element, tell } from './sample.js';
import { itemsOf, money, shortId, states } from './texts.js';

const pageSize = 50, mostShown = 200, refreshWait = 500, liveTime = 10_000;

export class Board {
  /** @param open is called with the id of an order that was chosen */
  constructor(open) {
    this.open = open;
    this.listed = [];          // as the read model has them
    this.live = new Map();     // id → { order, since }, where the live feed is ahead of the read model
    this.cards = new Map();    // id → what is shown; it stays, and keeps the focus
    this.filter = '';
    this.shown = pageSize;
    for (const [state, { name }] of Object.entries(states)) {
      const button = element('button', { type: 'button', 'aria-pressed': 'false', 'data-state': state },
        element('span', {}, name), element('span', { class: 'count' }, '0'));
      button.addEventListener('click', () => this.choose(this.filter === state ? '' : state));
      byId('states').append(element('li', {}, button));
    }
    byId('older').addEventListener('click', () => { this.shown += pageSize; this.refresh(); });
  }

  /** Shows orders of one state, or all. */
  choose(state) {
    this.filter = state;
    this.shown = pageSize;
    for (const button of byId('states').querySelectorAll('button')) button.setAttribute('aria-pressed', String(button.dataset.state === state));
    this.refresh();
  }

  /** Something happened: the order as it is now. */
  changed(order) {
    if ((this.live.get(order.orderId)?.order.version ?? 0) < order.version) this.live.set(order.orderId, { order, since: Date.now() });
    this.showSoon();
    this.refreshSoon();
  }

  refreshSoon() {
    this.refreshTimer ??= setTimeout(() => { this.refreshTimer = undefined; this.refresh(); }, refreshWait);
  }

  async refresh() {
    const round = this.round = (this.round ?? 0) + 1;
    const state = this.filter === '' ? '' : `&state=${this.filter}`;
    let page;
    try {
      page = await call(`/orders?limit=${Math.min(this.shown, mostShown)}${state}`);
    } catch (problem) {
      if (round === this.round) tell(byId('listProblem'), problem.message);
      return;
    }
    if (round !== this.round) return;
    tell(byId('listProblem'), '');
    this.listed = page.items;
    for (const [orderId, { since }] of this.live) if (Date.now() - since > liveTime) this.live.delete(orderId);
    for (const button of byId('states').querySelectorAll('button')) button.lastChild.textContent = page.counts[button.dataset.state];
    const all = Object.values(page.counts).reduce((sum, count) => sum + count, 0);
    byId('total').textContent = `${all} ${all === 1 ? 'order' : 'orders'}`;
    byId('older').hidden = page.next === null || this.shown >= mostShown;
    this.show();
  }

  showSoon() {
    this.showTimer ??= setTimeout(() => { this.showTimer = undefined; this.show(); }, 50);
  }

  show() {
    const orders = new Map(this.listed.map(order => [order.orderId, order]));
    for (const { order } of this.live.values()) if (!(orders.get(order.orderId)?.version >= order.version)) orders.set(order.orderId, order);
    const wanted = [...orders.values()]
      .filter(order => this.filter === '' || order.state === this.filter)
      .sort((one, other) => one.orderId < other.orderId ? 1 : -1)   // ids begin with the time
      .slice(0, this.shown);
    const ids = new Set(wanted.map(order => order.orderId));
    for (const [id, card] of this.cards) if (!ids.has(id)) { card.remove(); this.cards.delete(id); }
    let next = byId('board').firstElementChild;
    for (const order of wanted) {
      if (!this.cards.has(order.orderId)) this.cards.set(order.orderId, this.make(order));
      const card = this.cards.get(order.orderId);
      this.update(card, order);
      if (card === next) next = next.nextElementSibling;
      else byId('board').insertBefore(card, next);
    }
    byId('empty').hidden = wanted.length > 0;
  }

  make(order) {
    const button = element('button', { type: 'button' },
      element('b', {}, order.customerId), element('span', { class: 'total' }, money(order.total)),
      element('span', { class: 'soft id' }, `${shortId(order.orderId)}, ${itemsOf(order.items)}`), element('span', { class: 'chip' }));
    button.addEventListener('click', () => this.open(order.orderId));
    return element('li', { 'data-id': order.orderId }, button);
  }

  update(card, order) {
    if (card.dataset.state === order.state) return;
    card.dataset.state = order.state;
    const chip = card.querySelector('.chip');
    chip.textContent = states[order.state].name;
    chip.className = `chip ${states[order.state].kind}`;
  }
}
