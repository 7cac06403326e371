// One order: what it is now, each of its events, and what its customer may do.
import { byId, call, element, tell } from './sample.js';
import { describe, itemsOf, money, shortId, states } from './texts.js';

const dialog = byId('details');

export class Details {
  constructor() {
    this.orderId = null;
    byId('close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => { this.orderId = null; });
    dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });   // beside it
    byId('change').addEventListener('submit', event => {
      event.preventDefault();
      this.attempt(() => call(`/orders/${this.orderId}`, 'PATCH', { deliveryAddress: byId('newAddress').value }, { 'If-Match': `"${this.version}"` }));
    });
    byId('cancel').addEventListener('click', () => this.attempt(() => call(`/orders/${this.orderId}/cancel`, 'POST', {})));
  }

  async open(orderId) {
    this.orderId = orderId;
    this.version = 0;
    tell(byId('detailsProblem'), '');
    byId('events').replaceChildren();
    byId('facts').replaceChildren();
    byId('detailsTitle').textContent = `Order ${shortId(orderId)}`;
    dialog.showModal();
    await this.refresh();
  }

  /** Something happened to an order. */
  changed(order) {
    if (order.orderId === this.orderId && order.version > this.version) this.refresh();
  }

  async refresh() {
    const orderId = this.orderId;
    try {
      const found = await call(`/orders/${orderId}`);
      if (orderId === this.orderId) this.show(found);
    } catch (problem) {
      tell(byId('detailsProblem'), problem.message);
    }
  }

  async attempt(work) {
    tell(byId('detailsProblem'), '');
    try {
      this.show(await work());
    } catch (problem) {
      await this.refresh();
      tell(byId('detailsProblem'), problem.message);
    }
  }

  show({ order, events }) {
    if (order.version < this.version) return;
    const isFirst = this.version === 0;
    this.version = order.version;
    const chip = byId('detailsState');
    chip.textContent = states[order.state].name;
    chip.className = `chip ${states[order.state].kind}`;
    const facts = {
      Order: order.orderId, Customer: order.customerId, Items: itemsOf(order.items), Total: money(order.total), Paid: money(order.paid),
      'Delivery address': order.deliveryAddress, Parcel: order.trackingNumber, Reason: order.reason,
    };
    byId('facts').replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) =>
      [element('dt', {}, name), element('dd', {}, value)]));
    if (isFirst) byId('newAddress').value = order.deliveryAddress;
    byId('change').hidden = !order.canBeUpdated;
    byId('cancel').hidden = !order.canBeCancelled;
    const shown = byId('events').children.length;
    byId('events').append(...events.slice(shown).map(event => {
      const { kind, text } = describe(event);
      return element('li', { class: kind },
        element('p', { class: 'type' }, event.type),
        element('p', {}, text),
        element('p', { class: 'soft' }, element('time', { datetime: event.timestamp }, new Date(event.timestamp).toLocaleTimeString()),
          `, version ${event.version}`));
    }));
  }
}
