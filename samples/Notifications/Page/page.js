import { byId, showKafka, submitOnEnter, tell } from './sample.js';
import { Panel } from './panel.js';

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

submitOnEnter(byId('text'));

byId('new').addEventListener('submit', async event => {
  event.preventDefault();
  const body = { message: byId('text').value };
  if (byId('to').value === 'all') body.all = true;
  else body.userIds = byId('names').value.split(',').map(name => name.trim()).filter(name => name !== '');
  if (byId('expiry').value !== '') body.expiresAt = new Date(Date.now() + 1000 * Number(byId('expiry').value)).toISOString();
  byId('send').disabled = true;
  tell(byId('sent'), '');
  tell(byId('problem'), '');
  try {
    const { sent } = await panels[0].call('/notifications', 'POST', body);
    tell(byId('sent'), `Sent to ${sent.length === 1 ? sent[0].userId : `${sent.length} users`}.`);
    byId('text').value = '';
  } catch (problem) {
    tell(byId('problem'), problem.message);
  }
  byId('send').disabled = false;
  byId('text').focus();
});
