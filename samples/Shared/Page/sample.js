// Shared by the samples' pages. Texts from outside become text nodes, never HTML.

/** The element with an id. */
export const byId = id => document.getElementById(id);

/** Shows a text in an element, which is hidden while there is none. */
export function tell(place, text) {
  place.textContent = text;
  place.hidden = text === '';
}

/** Lets Enter submit the form of a text area; Shift+Enter starts a new line. */
export function submitOnEnter(textArea) {
  textArea.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    textArea.form.requestSubmit();
  });
}

/** Sends a request; an answer that is not 2xx becomes an Error with the problem's words and its status. */
export async function call(path, method = 'GET', body = undefined, headers = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { 'Content-Type': 'application/json', ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error('The service does not answer. Is the sample still running?');
  }
  const content = (response.headers.get('Content-Type') ?? '').includes('json') ? await response.json() : undefined;
  if (!response.ok) {
    const fields = Object.values(content?.errors ?? {}).flat();
    const text = fields.join(' ') || content?.detail || content?.title || `The service answered ${response.status}.`;
    throw Object.assign(new Error(text), { status: response.status });
  }
  return content;
}

/** Makes an element: element('li', { class: 'x' }, 'text', otherElement). */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Runs work now, and again every so many milliseconds while the page is looked at. */
export function repeat(work, milliseconds) {
  const round = async () => {
    if (!document.hidden) await work();
    setTimeout(round, milliseconds);
  };
  document.addEventListener('visibilitychange', () => { if (!document.hidden) work(); });
  round();
}

/** Keeps an element at what /health/kafka says. */
export function showKafka(chip) {
  repeat(async () => {
    try {
      const kafka = await call('/health/kafka');
      chip.textContent = `Kafka ${kafka.status}`;
      chip.title = `${kafka.clientId} at ${kafka.brokers.join(', ')}`;
      chip.className = `chip ${kafka.status === 'connected' ? 'good' : 'bad'}`;
    } catch (problem) {
      chip.textContent = 'service not reachable';
      chip.title = problem.message;
      chip.className = 'chip bad';
    }
  }, 5000);
}
