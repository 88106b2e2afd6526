/** A process that queues messages and says which of them are written, until it is killed. */
import { LevelPersistence } from '../../../src/broker/store/level-persistence.js';
import { message } from './message.js';

const [, , folder, sync] = process.argv;
const store = await LevelPersistence.open({
  folder: folder!,
  sync: sync === 'sync',
  onFault: (error) => {
    throw error;
  },
});
for (let counter = 1; ; counter++) {
  const done = store.outgoingEnqueueCombi(
    [{ clientId: 'a', messageId: (counter % 65_535) + 1 }, { clientId: 'b' }],
    message(counter),
  );
  void done.then(() => process.stdout.write(`${counter}\n`));
  // Some turns have one message, some a hundred.
  if (counter % 3 === 0 || counter % 200 > 100) await new Promise(setImmediate);
}
