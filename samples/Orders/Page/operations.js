// What an operator does: participants that misbehave, and a new read model.
import { byId, call, element, repeat, tell } from './sample.js';

const rates = [[0, 'never'], [0.2, '1 in 5'], [0.5, '1 in 2'], [1, 'always']];
const settings = {
  failureRate: ['fails', rates],
  rejectRate: ['refuses', rates],
  delaySeconds: ['answers', [[0, 'at once'], [0.5, 'after 0.5 s'], [2, 'after 2 s'], [5, 'after 5 s']]],
};

export function showParticipants() {
  const selects = new Map();   // name → { failureRate, … } → select
  let changes = 0;

  function make(name) {
    const title = name[0].toUpperCase() + name.slice(1);
    const fields = {};
    const set = element('fieldset', {}, element('legend', {}, title));
    for (const [setting, [text, choices]] of Object.entries(settings)) {
      const select = element('select', { 'aria-label': `${title} ${text}` }, ...choices.map(([value, choice]) => element('option', { value }, choice)));
      select.addEventListener('change', () => change(name));
      fields[setting] = select;
      set.append(element('label', {}, text, select));
    }
    byId('participants').append(set);
    selects.set(name, fields);
    return fields;
  }

  async function change(name) {
    const fields = selects.get(name);
    changes++;
    mark(fields);
    try {
      await call(`/participants/${name}`, 'PUT', Object.fromEntries(Object.entries(fields).map(([setting, select]) => [setting, Number(select.value)])));
      tell(byId('participantsProblem'), '');
    } catch (problem) {
      tell(byId('participantsProblem'), problem.message);
    }
  }

  function mark(fields) {
    for (const select of Object.values(fields)) select.className = Number(select.value) > 0 ? 'on' : '';
  }

  async function read() {
    const before = changes;
    try {
      const behaviours = await call('/participants');
      if (before !== changes) return;   // the answer is older than the change
      for (const [name, behaviour] of Object.entries(behaviours)) {
        const fields = selects.get(name) ?? make(name);
        for (const [setting, select] of Object.entries(fields)) {
          if (select === document.activeElement) continue;
          const value = String(behaviour[setting]);
          if (![...select.options].some(option => option.value === value)) select.append(element('option', { value }, value));
          select.value = value;
        }
        mark(fields);
      }
      tell(byId('participantsProblem'), '');
    } catch (problem) {
      tell(byId('participantsProblem'), problem.message);
    }
  }

  repeat(read, 3_000);
}

export function showProjection() {
  async function read() {
    try {
      const { active, building, problem } = await call('/projection');
      byId('projectionState').textContent = building === null ? `Read model ${active}` : `Read model ${active}; ${building} is being built`;
      tell(byId('projectionProblem'), problem ?? '');
    } catch (problem) {
      tell(byId('projectionProblem'), problem.message);
    }
  }

  byId('rebuild').addEventListener('click', async () => {
    try {
      await call('/projection/rebuild', 'POST');
    } catch (problem) {
      tell(byId('projectionProblem'), problem.message);
      return;
    }
    await read();
  });
  repeat(read, 1_000);
}
