import { byId, call, element, repeat, showKafka, submitOnEnter, tell } from './sample.js';

const pageSize = 20;
const shown = new Map();   // id → list item, newest first in the list

showKafka(byId('kafka'));
repeat(refresh, 2000);
showRetention();

submitOnEnter(byId('text'));

byId('new').addEventListener('submit', async event => {
  event.preventDefault();
  byId('send').disabled = true;
  await attempt(byId('problem'), async () => {
    await call('/messages', 'POST', { text: byId('text').value });
    byId('text').value = '';
    await refresh();
  });
  byId('send').disabled = false;
  byId('text').focus();
});

byId('older').addEventListener('click', () => attempt(byId('problem'), async () => {
  const oldest = [...shown.keys()].sort()[0];
  const page = await call(`/messages?limit=${pageSize}&before=${oldest}`);
  page.forEach(show);
  byId('older').hidden = page.length < pageSize;
}));

byId('keep').addEventListener('submit', event => {
  event.preventDefault();
  attempt(byId('keepProblem'), async () => {
    await call('/retention', 'PUT', { hours: byId('hours').valueAsNumber });
    await showRetention();
  });
});

async function refresh() {
  let page;
  try {
    page = await call(`/messages?limit=${pageSize}`);
  } catch (problem) {
    byId('empty').textContent = problem.message;
    byId('empty').hidden = shown.size > 0;
    return;
  }
  if (shown.size === 0) byId('older').hidden = page.length < pageSize;
  page.forEach(show);
  byId('empty').textContent = 'Nothing is stored yet.';
  byId('empty').hidden = shown.size > 0;
}

function show(message) {
  const chip = element('span', { class: `chip ${message.produced ? 'good' : 'wait'}` }, message.produced ? 'stored, in Kafka' : 'stored, waits for Kafka');
  const time = element('time', { datetime: message.createdAt }, new Date(message.createdAt).toLocaleString());
  const item = element('li', { 'data-id': message.id },
    element('div', { class: 'text' }, message.text),
    element('div', { class: 'soft row' }, time, chip));
  const known = shown.get(message.id);
  if (known) {
    known.replaceWith(item);
  } else {
    const next = [...byId('list').children].find(other => other.dataset.id < message.id);
    byId('list').insertBefore(item, next ?? null);
  }
  shown.set(message.id, item);
}

async function showRetention() {
  try {
    const retention = await call('/retention');
    byId('retention').textContent = !retention.canBeSet ? 'The embedded broker keeps no topic settings. On a real cluster, 24 hours are set at start.'
      : retention.retentionMs === null ? 'Kafka keeps messages without a limit of time.'
      : `Kafka keeps messages for ${retention.retentionMs / 3600000} hours, whether they were consumed or not.`;
    byId('keep').hidden = !retention.canBeSet;
  } catch (problem) {
    byId('retention').textContent = problem.message;
  }
}

async function attempt(place, work) {
  tell(place, '');
  try {
    await work();
  } catch (problem) {
    tell(place, problem.message);
  }
}
