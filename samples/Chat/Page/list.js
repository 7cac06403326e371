// Shows a part of a long list of messages: what is near the window. The rest is not in the document.

const chunk = 50;
const maxShown = 200;
const bottomPixels = 32;   // so near to its end, the list follows new messages

/** The index of the first message with at least this sequence. */
export function indexOf(messages, sequence) {
  let low = 0, high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].sequence < sequence) low = middle + 1; else high = middle;
  }
  return low;
}

/**
 * A list in a box that scrolls. `rowsOf(messages, start, end)` gives the rows of a part: { key, state, make, sequence }; a row is made again where its state
 * differs. `loadOlder` fetches what is before the first message, `scrolled` is called after each movement.
 */
export class MessageList {
  #box;
  #list;
  #rowsOf;
  #loadOlder;
  #scrolled;
  #messages = [];
  #first = 0;           // the sequence of the first message that is shown
  #last = Infinity;     // of the last one; infinite: the newest, whichever that is
  #rows = new Map();    // key → { element, state, sequence }, as they stand in the list
  #atBottom = true;
  #loading = false;

  constructor(box, list, { rowsOf, loadOlder, scrolled }) {
    this.#box = box;
    this.#list = list;
    this.#rowsOf = rowsOf;
    this.#loadOlder = loadOlder;
    this.#scrolled = scrolled;
    box.addEventListener('scroll', () => this.#onScroll(), { passive: true });
    new ResizeObserver(() => { if (this.#atBottom) this.#toEnd(); }).observe(box);
  }

  /** Whether the newest message is shown, and the user is there. */
  get isAtEnd() { return this.#atBottom && this.#last === Infinity; }

  /** Shows the end of a list, or what follows a sequence. */
  open(messages, after = null) {
    this.#messages = messages;
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#last = Infinity;
    const start = Math.max(0, after === null ? messages.length - chunk : indexOf(messages, after + 1) - 10);
    this.#first = start === 0 ? 0 : messages[start].sequence;
    if (messages.length - start > maxShown) this.#last = messages[start + maxShown - 1].sequence;
    this.#atBottom = after === null;
    this.render();
    const row = after === null ? undefined : [...this.#rows.values()].find(({ sequence }) => sequence > after);
    if (row !== undefined) this.#box.scrollTop = row.element.offsetTop - this.#box.clientHeight / 3;
    this.#onScroll();
  }

  /** Shows what changed; what the user reads stays where it is. */
  render() {
    const messages = this.#messages;
    const start = indexOf(messages, this.#first);
    const end = this.#last === Infinity ? messages.length : indexOf(messages, this.#last + 1);
    if (end - start > maxShown && this.#last === Infinity) {
      if (this.#atBottom) this.#first = messages[end - maxShown].sequence;
      else this.#last = messages[start + maxShown - 1].sequence;
      return this.render();
    }

    const rows = this.#rowsOf(messages, start, end);
    const keys = new Set(rows.map(row => row.key));
    const anchor = this.#atBottom ? undefined : this.#anchor(keys);
    for (const [key, { element }] of this.#rows) if (!keys.has(key)) element.remove();
    const shown = this.#rows;
    this.#rows = new Map();
    let at = this.#list.firstElementChild;
    for (const { key, state, make, sequence = 0 } of rows) {
      const old = shown.get(key);
      const element = old?.state === state ? old.element : make();
      if (old !== undefined && old.element !== element) {
        old.element.replaceWith(element);
        if (at === old.element) at = element;
      }
      if (at === element) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
      this.#rows.set(key, { element, state, sequence });
    }

    if (this.#atBottom) this.#toEnd();
    else if (anchor !== undefined) this.#box.scrollTop += this.#rows.get(anchor.key).element.offsetTop - anchor.top;
  }

  /** Goes to the newest message. */
  toNewest() {
    const messages = this.#messages;
    this.#last = Infinity;
    this.#atBottom = true;
    if (messages.length - indexOf(messages, this.#first) > maxShown) this.#first = messages[messages.length - chunk].sequence;
    this.render();
  }

  /** The sequence of the last message in sight. */
  lastInSight() {
    const bottom = this.#box.scrollTop + this.#box.clientHeight;
    let last = 0;
    for (const { element, sequence } of this.#rows.values()) {
      if (sequence > last && element.offsetTop + Math.min(element.offsetHeight, 24) <= bottom) last = sequence;
    }
    return last;
  }

  #anchor(keys) {
    const top = this.#box.scrollTop;
    for (const [key, { element, sequence }] of this.#rows) {   // a message: the other rows move among them
      if (sequence > 0 && keys.has(key) && element.offsetTop + element.offsetHeight > top) return { key, top: element.offsetTop };
    }
    return undefined;
  }

  #toEnd() { this.#box.scrollTop = this.#box.scrollHeight; }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const below = scrollHeight - scrollTop - clientHeight;
    this.#atBottom = below < bottomPixels;
    if (scrollTop < clientHeight) this.#more();
    else if (below < clientHeight && this.#last !== Infinity) this.#less();
    this.#scrolled();
  }

  // More above; what is too far below is taken away.
  async #more() {
    if (this.#loading) return;
    const messages = this.#messages;
    let start = indexOf(messages, this.#first);
    if (start === 0) {
      this.#loading = true;
      const before = messages.length;
      const loaded = await this.#loadOlder().finally(() => { this.#loading = false; });
      if (!loaded || messages !== this.#messages) return;
      start = messages.length - before;   // a few that arrived meanwhile do not matter
    }
    start = Math.max(0, start - chunk);
    this.#first = messages[start].sequence;
    const end = this.#last === Infinity ? messages.length : indexOf(messages, this.#last + 1);
    if (end - start > maxShown) this.#last = messages[start + maxShown - 1].sequence;
    this.render();
  }

  #less() {
    const messages = this.#messages;
    const end = Math.min(indexOf(messages, this.#last + 1) + chunk, messages.length);
    this.#last = end === messages.length ? Infinity : messages[end - 1].sequence;
    const start = indexOf(messages, this.#first);
    if (end - start > maxShown) this.#first = messages[end - maxShown].sequence;
    this.render();
  }
}
