import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { configFile, run, tempFolder } from './program.js';

const ACL = `rules:
  - { permit: deny, action: all, topic: vehicle/secret/# }
  - { permit: allow, user: ada, action: [subscribe, history], topic: vehicle/# }
  - permit: allow
    clientId: probe
    action: history
    topic: [vehicle/#, radar/#]
  - { permit: allow, action: publish, topic: "from/\${clientId}/#", address: 10.0.0.0/8 }
`;

test('says what the rules say, which one and why; the exit code is the verdict', async (t) => {
  const folder = await tempFolder(t);
  const acl = join(folder, 'acl.yaml');
  await writeFile(acl, ACL);
  const authentication = [{ type: 'password', file: join(folder, 'not read here') }];
  const file = await configFile(folder, { authentication, acl: { file: acl } });
  const ask = (...args: string[]) => run('acl', 'test', ...args, '--config', file);

  const allowed = await ask('ada', 'subscribe', 'vehicle/#');
  assert.equal(allowed.code, 0);
  assert.deepEqual(allowed.out, [`allowed: ${acl}:3: allow subscribe, history on vehicle/# for user ada`]);
  assert.equal(allowed.err.length, 1);
  assert.match(
    allowed.err[0],
    /acl\.yaml:2: deny all .*: is for a part of the filter: messages of that part/,
  );

  const denied = await ask('bob', 'subscribe', 'vehicle/#');
  assert.deepEqual([denied.code, /^denied: no rule is for it/.test(denied.out[0])], [1, true]);
  const secret = await ask('ada', 'history', 'vehicle/secret/x');
  assert.deepEqual(
    [secret.code, secret.out[0]],
    [1, `denied: ${acl}:2: deny all on vehicle/secret/# for everybody`],
  );
  assert.equal((await ask('ada', 'history', 'vehicle/x')).code, 0);
  const half = await ask('', 'history', 'radar/x', '--client-id', 'probe');
  assert.deepEqual([half.code, /^denied: history needs subscribe: no rule/.test(half.out[0])], [1, true]);

  const where = ['', 'publish', 'from/a/x', '--client-id', 'a', '--address'];
  assert.equal((await ask(...where, '10.1.1.1')).code, 0);
  assert.equal((await ask(...where, '11.1.1.1')).code, 1);
  assert.equal((await ask('', 'publish', 'from/+/x', '--client-id', '+')).code, 2);

  const json = JSON.parse((await ask('ada', 'publish', '$SYS/x', '--json')).text);
  assert.deepEqual(json, {
    allowed: false,
    rule: null,
    why: 'the topic is reserved for the broker',
    passed: [],
  });
});

test('rules in the configuration, and none at all', async (t) => {
  const folder = await tempFolder(t);
  const rules = [{ permit: 'deny', clientId: 'c', action: 'all', topic: '#' }];
  const file = await configFile(folder, { acl: { rules } });
  const denied = await run('acl', 'test', '', 'publish', 'a', '--client-id', 'c', '--config', file);
  assert.deepEqual([denied.code, denied.out], [1, ['denied: acl.rules[0]: deny all on # for client id c']]);
  const open = await run('acl', 'test', '', 'publish', 'a', '--config', await configFile(folder));
  assert.deepEqual(
    [open.code, open.err],
    [
      0,
      [
        '  not built in: allow publish on $STREAM/# for everybody: is for other topics',
        '  not built in: deny publish on ParquetFile/# for everybody: is for other topics',
        '  not built in: allow subscribe on $STREAM/#, MQfile/#, ParquetFile/#, $SYS/# for everybody: is for subscribe',
      ],
    ],
  );
});

test('rules that cannot be used are named with file and line', async (t) => {
  const folder = await tempFolder(t);
  const acl = join(folder, 'acl.yaml');
  const file = await configFile(folder, { authentication: [{ type: 'certificate' }], acl: { file: acl } });
  const ask = async (text: string | null) => {
    if (text !== null) await writeFile(acl, text);
    const { code, err } = await run('acl', 'test', '', 'publish', 'a', '--config', file);
    assert.equal(code, 2);
    return err.join('\n');
  };
  assert.match(await ask(null), /ACCESS_FILE_UNREADABLE.*acl\.yaml.*ENOENT/);
  assert.match(await ask(''), /acl\.yaml:1: rules: is missing; expected a list/);
  assert.match(await ask('rules: []'), /acl\.yaml:1: rules: expected at least 1 in the list/);
  const text = `rules:
  - { permit: allow, action: all, topic: a#b }
  - { permit: maybe, action: all, topic: a }
  - { permit: allow, action: write, topic: a }
  - { permit: allow, action: [], topic: a }
  - { permit: allow, action: all, topic: "\${user}/a" }
  - { permit: allow, action: all, topic: a, adress: 10.0.0.1 }
  - { permit: allow, action: all, topic: a, address: 10.0.0.0/40 }
  - { permit: allow, action: all, topic: $share/g/a }
  - { permit: allow, action: all }
`;
  const lines = (await ask(text)).split('\n').slice(1);
  assert.deepEqual(
    lines.map((line) => line.slice(acl.length + 1).replace(/,? got .*/, '')),
    [
      '2: rules[0].topic[0]: "#" stands alone and last [MQTT-4.7.1-1]',
      '3: rules[1].permit: expected one of allow, deny',
      '4: rules[2].action[0]: expected one of publish, subscribe, history, all',
      '5: rules[3].action: expected at least 1 in the list',
      '6: rules[4].topic[0]: there are ${username} and ${clientId} only',
      '7: rules[5].adress: there is no such key; did you mean address?',
      '8: rules[6].address: expected an address or a range such as 10.0.0.0/8',
      '9: rules[7].topic[0]: rules are for what is subscribed to; leave $share/<group> out',
      '10: rules[8].topic: is missing; expected a list',
    ],
  );
  const anonymous = await configFile(folder, { acl: { file: acl } });
  await writeFile(acl, 'rules:\n  - { permit: allow, action: all, topic: "${username}/#" }\n');
  const { code, err } = await run('acl', 'test', '', 'publish', 'a', '--config', anonymous);
  assert.deepEqual(
    [code, /acl\.yaml:2: asks who the user is, which nobody proves/.test(err.join(''))],
    [2, true],
  );
});
