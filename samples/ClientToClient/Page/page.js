import { showDeadLetters } from './dead-letters.js';
import { byId, call, showKafka, submitOnEnter, tell } from './sample.js';

showKafka(byId('kafka'));
submitOnEnter(byId('text'));
showDeadLetters(byId('deadLetters'), letter => ({
  title: letter.message ?? 'Not a message of this system',
  details: letter.message === null ? '' : `${letter.from} to ${letter.to}`,
  outcome: letter.saved ? 'Saved by client B' : '',
}));

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
