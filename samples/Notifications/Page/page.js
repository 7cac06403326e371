import { showKafka } from './sample.js';
import { Panel } from './panel.js';

const byId = id => document.getElementById(id);

showKafka(byId('kafka'));

// ?userId=user1 shows one user; without it two are side by side. The same one twice: two devices.
const named = new URLSearchParams(location.search).getAll('userId');
const users = named.length > 0 ? named.slice(0, 4) : ['user1', 'user2'];
const panels = users.map((user, index) => new Panel(byId('panel').content, user, index));
byId('panels').append(...panels.map(panel => panel.root));

byId('to').addEventListener('change', () => {
  const isAll = byId('to').value === 'all';
  byId('namesField').hidden = isAll;
  byId('names').required = !isAll;
});

byId('text').addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId('new').requestSubmit();
  }
});

byId('new').addEventListener('submit', async event => {
  event.preventDefault();
  const body = { message: byId('text').value };
  if (byId('to').value === 'all') body.all = true;
  else body.userIds = byId('names').value.split(',').map(name => name.trim()).filter(name => name !== '');
  if (byId('expiry').value !== '') body.expiresAt = new Date(Date.now() + 1000 * Number(byId('expiry').value)).toISOString();
  byId('send').disabled = true;
  byId('sent').hidden = byId('problem').hidden = true;
  try {
    const { sent } = await panels[0].call('/notifications', 'POST', body);
    byId('sent').textContent = `Sent to ${sent.length === 1 ? sent[0].userId : `${sent.length} users`}.`;
    byId('sent').hidden = false;
    byId('text').value = '';
  } catch (problem) {
    byId('problem').textContent = problem.message;
    byId('problem').hidden = false;
  }
  byId('send').disabled = false;
  byId('text').focus();
});
