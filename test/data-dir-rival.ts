/** A process of its own that holds a data folder when told to, and says how that went. */

import { holdDataDir } from '../src/data-dir.js';
import { MqttStreamError } from '../src/errors.js';

process.on('message', () => {
  holdDataDir(process.argv[2]!).then(
    () => process.send!('held'),
    (error: unknown) => process.send!(error instanceof MqttStreamError ? error.code : String(error)),
  );
});
process.send!('ready');
