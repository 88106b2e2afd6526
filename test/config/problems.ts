import assert from 'node:assert/strict';
import { MqttStreamError } from '../../src/errors.js';

/** The lines of the CONFIG_INVALID that `run` throws or rejects with. */
export async function problemsOf(run: () => unknown): Promise<string[]> {
  try {
    await run();
  } catch (thrown) {
    assert.ok(thrown instanceof MqttStreamError, String(thrown));
    assert.equal(thrown.code, 'CONFIG_INVALID');
    return thrown.message.split('\n');
  }
  assert.fail('nothing was thrown');
}
