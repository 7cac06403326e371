import { call, element, repeat, showKafka } from './sample.js';

const pageSize = 20;
const at = id => document.getElementById(id);
const shown = new Map();   // id → list item, newest first in the list

showKafka(at('kafka'));
repeat(refresh, 2000);
showRetention();

at('text').addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at('new').requestSubmit();
  }
});

at('new').addEventListener('submit', async event => {
  event.preventDefault();
  at('send').disabled = true;
  await attempt(at('problem'), async () => {
    await call('/messages', 'POST', { text: at('text').value });
    at('text').value = '';
    await refresh();
  });
  at('send').disabled = false;
  at('text').focus();
});

at('older').addEventListener('click', () => attempt(at('problem'), async () => {
  const oldest = [...shown.keys()].sort()[0];
  const page = await call(`/messages?limit=${pageSize}&before=${oldest}`);
  page.forEach(show);
  at('older').hidden = page.length < pageSize;
}));

at('keep').addEventListener('submit', event => {
  event.preventDefault();
  attempt(at('keepProblem'), async () => {
    await call('/retention', 'PUT', { hours: at('hours').valueAsNumber });
    await showRetention();
  });
});

async function refresh() {
  let page;
  try {
    page = await call(`/messages?limit=${pageSize}`);
  } catch (problem) {
    at('empty').textContent = problem.message;
    at('empty').hidden = shown.size > 0;
    return;
  }
  if (shown.size === 0) at('older').hidden = page.length < pageSize;
  page.forEach(show);
  at('empty').textContent = 'Nothing is stored yet.';
  at('empty').hidden = shown.size > 0;
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
    const next = [...at('list').children].find(other => other.dataset.id < message.id);
    at('list').insertBefore(item, next ?? null);
  }
  shown.set(message.id, item);
}

async function showRetention() {
  try {
    const retention = await call('/retention');
    at('retention').textContent = !retention.canBeSet ? 'The embedded broker keeps no topic settings. On a real cluster, 24 hours are set at start.'
      : retention.retentionMs === null ? 'Kafka keeps messages without a limit of time.'
      : `Kafka keeps messages for ${retention.retentionMs / 3600000} hours, whether they were consumed or not.`;
    at('keep').hidden = !retention.canBeSet;
  } catch (problem) {
    at('retention').textContent = problem.message;
  }
}

async function attempt(place, work) {
  place.hidden = true;
  try {
    await work();
  } catch (problem) {
    place.textContent = problem.message;
    place.hidden = false;
  }
}
