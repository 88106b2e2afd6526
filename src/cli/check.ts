import { stringify } from 'yaml';
import type { BridgeConfig, ListenerConfig } from '../config/schema.js';
import { type ConfigOptions, configOf, withConfig } from './config-options.js';
import { OK } from './failure.js';
import { verb } from './verb.js';

export const checkVerb = verb<ConfigOptions>({
  name: 'check',
  summary: 'check a configuration and print it as it takes effect: all keys, bytes and milliseconds',
  options: withConfig,
  examples: [
    'check',
    'check --config vehicle.yaml --json',
    'check --set http.port=8090 --set "streams=[{name: gps, topics: [gps/#]}]"',
  ],
  run: async ({ json, ...options }, terminal) => {
    const { bridges, listeners, ...rest } = await configOf(options);
    const config = {
      ...rest,
      listeners: listeners.map(withoutPassphrase),
      bridges: bridges.map(withoutPassword),
    };
    terminal.out(json ? JSON.stringify(config) : stringify(config, { lineWidth: 0 }).trimEnd());
    return OK;
  },
});

function withoutPassphrase(listener: ListenerConfig): ListenerConfig {
  return listener.tls?.keyPassphrase === undefined
    ? listener
    : { ...listener, tls: { ...listener.tls, keyPassphrase: '***' } };
}

function withoutPassword(bridge: BridgeConfig): BridgeConfig {
  return bridge.password === undefined ? bridge : { ...bridge, password: '***' };
}
