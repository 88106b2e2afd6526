import { readFile, stat } from 'node:fs/promises';
import { Argument, type Command } from 'commander';
import { isLocalAddress } from '../addresses.js';
import { rulesOf } from '../app/access.js';
import { ACTIONS, type Action } from '../broker/access/rule.js';
import { filterFault, topicFault } from '../topics.js';
import { type ConfigOptions, configOf, withConfig } from './config-options.js';
import { FAILED, OK } from './failure.js';
import { verb } from './verb.js';

interface AclOptions extends ConfigOptions {
  readonly clientId: string;
  readonly address: string;
}

export const aclVerb = verb<AclOptions>({
  name: 'acl',
  summary: 'test what the rules of a configuration say, and why: exit code 0 for allowed, 1 for denied',
  options: (command) =>
    withConfig(command)
      .addArgument(new Argument('<what>').choices(['test']))
      .argument('<user>', 'as authenticated; "" for none')
      .addArgument(new Argument('<action>').choices(ACTIONS))
      .argument('<topic>', 'a topic to publish to, or a filter to subscribe to or to read the history of')
      .option('--client-id <id>', 'the client id', 'client')
      .option('--address <address>', 'where the client is', '127.0.0.1')
      .hook('preAction', checkTopic),
  examples: [
    'acl test ada publish vehicle/speed',
    'acl test ada subscribe "vehicle/#" --config vehicle.yaml --address 10.1.2.3',
    'acl test "" history "#" --client-id probe --json',
  ],
  run: async ({ clientId, address, json, ...options }, terminal, [, user, action, topic]) => {
    const config = await configOf({ ...options, ...(json ? { json } : {}) });
    const say = (_fields: object, text: string) => terminal.err(text);
    const log = { debug: say, info: say, warn: say, error: say };
    const rules = await rulesOf(config, { log, fs: { readFile, stat } });
    const who = {
      clientId,
      user: user === '' ? null : user,
      address,
      local: isLocalAddress(address),
      inside: false,
    };
    const { allowed, why, passed, rule } = rules.decide(who, action as Action, topic);
    if (json) {
      terminal.out(JSON.stringify({ allowed, rule: rule?.written.place ?? null, why, passed }));
    } else {
      terminal.out(`${allowed ? 'allowed' : 'denied'}: ${why}`);
      for (const one of passed) terminal.err(`  not ${one}`);
    }
    return allowed ? OK : FAILED;
  },
});

function checkTopic(command: Command): void {
  const [, , action, topic] = command.args;
  const fault = action === 'publish' ? topicFault(topic) : filterFault(topic);
  if (fault !== null) command.error(`error: ${fault}`);
}
