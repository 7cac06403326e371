import { Board } from './board.js';
import { showDeadLetters } from './dead-letters.js';
import { Details } from './details.js';
import { showParticipants, showProjection } from './operations.js';
import { byId, call, element, showKafka, tell } from './sample.js';
import { money, shortId } from './texts.js';

const customers = ['ann', 'ben', 'carla', 'dan', 'eve'];
const details = new Details();
const board = new Board(orderId => details.open(orderId));

showKafka(byId('kafka'));
showParticipants();
showProjection();
showDeadLetters(byId('deadLetters'), letter => ({
  title: `${letter.type ?? 'Unknown message'}, order ${letter.orderId === null ? 'unknown' : shortId(letter.orderId)}`,
  details: `${letter.source ?? letter.topic}, ${letter.attempts} retries`,
  outcome: letter.state === 'Shipped' || letter.state === 'Cancelled' ? `Order ${letter.state.toLowerCase()}` : '',
}), 4_000);

// --- Live -------------------------------------------------------------------------------------------------------------------------

const feed = new EventSource('/orders/live');   // it connects again by itself
feed.onopen = () => {
  byId('live').textContent = 'live';
  byId('live').className = 'chip good';
  board.refresh();   // what happened while it was not connected
};
feed.onerror = () => {
  byId('live').textContent = 'connecting …';
  byId('live').className = 'chip wait';
};
feed.onmessage = message => {
  const { order } = JSON.parse(message.data);
  board.changed(order);
  details.changed(order);
};

// --- New orders -------------------------------------------------------------------------------------------------------------------

const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
let key = newKey();   // the same as long as the form is: an order that was not answered is not placed twice

byId('new').addEventListener('input', () => { key = newKey(); });
byId('new').addEventListener('submit', async event => {
  event.preventDefault();
  byId('place').disabled = true;
  tell(byId('placed'), '');
  tell(byId('problem'), '');
  try {
    const items = [{ sku: byId('sku').value, quantity: byId('quantity').valueAsNumber }];
    const { order } = await place(byId('customer').value, items, byId('address').value, key);
    tell(byId('placed'), `Order ${shortId(order.orderId)} is placed.`);
    key = newKey();
  } catch (problem) {
    tell(byId('problem'), problem.message);
  }
  byId('place').disabled = false;
});

byId('twenty').addEventListener('click', async () => {
  byId('twenty').disabled = true;
  tell(byId('placed'), '');
  tell(byId('problem'), '');
  const any = list => list[Math.floor(Math.random() * list.length)];
  const articles = [...byId('sku').options].map(option => option.value);
  const results = await Promise.allSettled(Array.from({ length: 20 }, () =>
    place(any(customers), [{ sku: any(articles), quantity: 1 + Math.floor(Math.random() * 3) }], byId('address').value, newKey())));
  const refused = results.filter(result => result.status === 'rejected');
  tell(byId('placed'), `${results.length - refused.length} orders are placed.`);
  tell(byId('problem'), refused[0]?.reason.message ?? '');
  byId('twenty').disabled = false;
});

function place(customerId, items, deliveryAddress, idempotencyKey) {
  return call('/orders', 'POST', { customerId, items, deliveryAddress }, { 'Idempotency-Key': idempotencyKey });
}

async function showCatalog() {
  try {
    byId('sku').replaceChildren(...(await call('/catalog')).map(({ sku, price }) => element('option', { value: sku }, `${sku}, ${money(price)}`)));
  } catch (problem) {
    tell(byId('problem'), problem.message);
  }
}

showCatalog();
