import { MqttStreamError } from '../errors.js';
import type { Patient } from './folder.js';

/** Whether something could not be opened for want of its key, which is a finding then. */
export function isLocked({ report }: Patient, path: string, error: unknown): boolean {
  if (!(error instanceof MqttStreamError && (error.code === 'KEY_MISSING' || error.code === 'KEY_WRONG')))
    return false;
  const advice = 'give --config with the keys of the broker; without this one it does not start here';
  report.finding({ kind: 'locked', path, what: `was not examined: ${error.message}`, advice });
  return true;
}
