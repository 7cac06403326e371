// A list of dead letters with a button that redrives each. The service has GET /dead-letters and POST /dead-letters/redrive.
import { call, element, repeat, tell } from './sample.js';

/**
 * Fills an element with the list, and keeps it up to date.
 * @param describe(letter) = { title, details, outcome }; a letter with an outcome needs no redrive
 * @param interval milliseconds between two looks; each opens a client for each topic of dead letters
 */
export function showDeadLetters(root, describe, interval = 2_000) {
  const items = new Map();   // what is shown of each; it stays in place when the list is read again, and keeps the focus
  const listProblem = element('p', { class: 'bad', role: 'alert', hidden: '' });
  const redriveProblem = element('p', { class: 'bad', role: 'alert', hidden: '' });
  const empty = element('p', { class: 'soft', hidden: '' }, 'There are none.');
  const list = element('ul', { class: 'list letters' });
  const more = element('button', { type: 'button', hidden: '' }, 'More dead letters');
  let pages = 1;
  root.append(listProblem, redriveProblem, empty, list, more);

  function make(letter) {
    const { title } = describe(letter);
    const time = new Date(letter.time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
    const state = element('span', { class: 'chip wait', role: 'status', hidden: '' });
    const details = element('span');
    const button = element('button', { type: 'button', 'aria-label': `Redrive: ${title}` }, 'Redrive');
    list.append(element('li', {},
      element('div', { class: 'what' },
        element('p', { class: 'text' }, title),
        element('p', { class: 'soft' }, details, `${time}, offset ${letter.offset}`),
        element('p', { class: 'bad' }, letter.error ?? '')),
      state, button));
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        await call('/dead-letters/redrive', 'POST', { topic: letter.topic, partition: letter.partition, offset: letter.offset });
        tell(state, 'Sent again');
        tell(redriveProblem, '');
      } catch (problem) {
        tell(redriveProblem, problem.message);
      }
      button.disabled = false;
      await read();
    });
    return { state, details, button };
  }

  function show(letter) {
    const key = `${letter.topic}-${letter.partition}-${letter.offset}`;
    if (!items.has(key)) items.set(key, make(letter));
    const { state, details, button } = items.get(key);
    const text = describe(letter);
    details.textContent = text.details ? `${text.details}, ` : '';
    if (text.outcome && !button.hidden) {
      tell(state, text.outcome);
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
      empty.hidden = items.size > 0;
      more.hidden = page.continuation === null;
      tell(listProblem, '');
    } catch (problem) {
      tell(listProblem, problem.message);
    }
  }

  more.addEventListener('click', () => { pages++; read(); });
  repeat(read, interval);
}
