// What the page says of orders and events.

export const states = {
  AwaitingPayment: { name: 'Payment', kind: '' },
  AwaitingStock: { name: 'Stock', kind: '' },
  AwaitingShipping: { name: 'Shipping', kind: '' },
  Shipped: { name: 'Shipped', kind: 'good' },
  Compensating: { name: 'Undoing', kind: 'wait' },
  Cancelled: { name: 'Cancelled', kind: 'bad' },
};

const euros = new Intl.NumberFormat(undefined, { style: 'currency', currency: 'EUR' });

export const money = amount => euros.format(amount);
export const shortId = orderId => orderId.slice(-6);
export const itemsOf = items => items.map(item => `${item.quantity} × ${item.sku}`).join(', ');

const events = {
  ORDER_CREATED: ['', event => `${event.customerId} ordered ${itemsOf(event.items)} for ${money(event.total)}.`],
  ORDER_UPDATED: ['', event => `The delivery address is ${event.changes.deliveryAddress} now.`],
  PAYMENT_COMPLETED: ['', event => `${money(event.amount)} is paid.`],
  PAYMENT_FAILED: ['bad', event => event.reason],
  STOCK_RESERVED: ['', () => 'The articles are reserved.'],
  STOCK_REJECTED: ['bad', event => event.reason],
  SHIPPED: ['good', event => `The parcel ${event.trackingNumber} is on its way.`],
  SHIPPING_FAILED: ['bad', event => event.reason],
  CANCELLATION_REQUESTED: ['wait', event => event.reason],
  STEP_TIMED_OUT: ['wait', event => `${event.step} did not answer in time.`],
  STOCK_RELEASED: ['wait', () => 'The articles are back in stock.'],
  PAYMENT_REFUNDED: ['wait', event => event.amount > 0 ? `${money(event.amount)} is paid back.` : 'There was nothing to pay back.'],
  ORDER_CANCELLED: ['bad', event => event.reason],
};

/** The colour of an event, and a sentence about it. */
export function describe(event) {
  const [kind, text] = events[event.type] ?? ['', () => ''];
  return { kind, text: text(event) };
}
