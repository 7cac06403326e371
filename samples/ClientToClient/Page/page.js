import { byId, call, element, repeat, showKafka, submitOnEnter, tell } from './sample.js';

const items = new Map();   // what is shown of each dead letter; it stays in place when the list is read again, and keeps the focus
let pages = 1;

showKafka(byId('kafka'));
submitOnEnter(byId('text'));

byId('new').addEventListener('submit', async event => {
  event.preventDefault();
  const message = { from: byId('from').value, to: byId('to').value, message: byId('text').value };
  byId('send').disabled = true;
  tell(byId('sent'), '');
  tell(byId('problem'), '');
  try {
    await call('/send-message', 'POST', message);
    tell(byId('sent'), `Sent to ${message.to}.`);
    byId('text').value = '';
  } catch (problem) {
    tell(byId('problem'), problem.message);
  }
  byId('send').disabled = false;
  byId('text').focus();
});

function make(letter) {
  const isMessage = letter.message !== null;
  const time = new Date(letter.time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
  const state = element('span', { class: 'chip wait', role: 'status', hidden: '' });
  const button = element('button', { type: 'button', 'aria-label': `Redrive: ${isMessage ? letter.message : `offset ${letter.offset}`}` }, 'Redrive');
  const item = element('li', {},
    element('div', { class: 'what' },
      element('p', { class: 'text' }, isMessage ? letter.message : 'Not a message of this system'),
      element('p', { class: 'soft' }, `${isMessage ? `${letter.from} to ${letter.to}, ` : ''}${time}, offset ${letter.offset}`),
      element('p', { class: 'bad' }, letter.error ?? '')),
    state, button);
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await call('/dead-letters/redrive', 'POST', { partition: letter.partition, offset: letter.offset });
      tell(state, 'Sent again');
      tell(byId('redriveProblem'), '');
    } catch (problem) {
      tell(byId('redriveProblem'), problem.message);
    }
    button.disabled = false;
    await read();
  });
  byId('list').append(item);
  return { state, button };
}

function show(letter) {
  const key = `${letter.partition}-${letter.offset}`;
  if (!items.has(key)) items.set(key, make(letter));
  const { state, button } = items.get(key);
  if (letter.saved && !button.hidden) {
    tell(state, 'Saved by client B');
    state.className = 'chip good';
    button.hidden = true;
  }
}

async function read() {
  try {
    let page = { continuation: '' };
    for (let number = 0; number < pages && page.continuation !== null; number++) {
      page = await call(`/dead-letters?after=${encodeURIComponent(page.continuation)}`);
      page.items.forEach(show);
    }
    byId('empty').hidden = items.size > 0;
    byId('more').hidden = page.continuation === null;
    tell(byId('listProblem'), '');
  } catch (problem) {
    tell(byId('listProblem'), problem.message);
  }
}

byId('more').addEventListener('click', () => { pages++; read(); });
repeat(read, 2_000);
