/** The part of the schema that says who may do what, and the file that may say it instead. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { addressMatcher } from '../addresses.js';
import { filterFault } from '../topics.js';
import { readDocument } from './document.js';
import { LayeredDocument } from './layer.js';
import { check, invalid, shown } from './problem.js';

const ACTIONS = ['publish', 'subscribe', 'history'] as const;
type Action = (typeof ACTIONS)[number];

const action = z.enum([...ACTIONS, 'all']);

const topic = z.string().superRefine((text, context) => {
  const fault = templateFault(text);
  if (fault !== null) context.addIssue(`${fault}, got ${shown(text)}`);
});

const ruleSchema = z.strictObject({
  permit: z.enum(['allow', 'deny']),
  /** Whom it is for; what is left out holds for everybody. */
  user: z.string().min(1).optional(),
  clientId: z.string().min(1).optional(),
  address: z
    .string()
    .refine((range) => addressMatcher(range) !== null, {
      error: ({ input }) => `expected an address or a range such as 10.0.0.0/8, got ${shown(input)}`,
    })
    .optional(),
  /** One or several of publish, subscribe and history, or all of them. */
  action: listOf(action).transform((some): Action[] => ACTIONS.filter((one) => some.some(isOrAll(one)))),
  /** MQTT filters, one or several; `${username}` and `${clientId}` stand for those of the client. */
  topic: listOf(topic),
});

const rules = z.array(ruleSchema);

export const aclSchema = z
  .strictObject({
    /** Where the rules are, instead of here. */
    file: z
      .string()
      .regex(/^[^\0]+$/, { error: ({ input }) => `expected the path of a file, got ${shown(input)}` })
      .transform((path) => resolve(path))
      .optional(),
    /** The first that is for a client, an action and a topic decides. */
    rules: rules.prefault([]),
  })
  .superRefine(({ file, rules }, context) => {
    if (file === undefined || rules.length === 0) return;
    context.addIssue({
      code: 'custom',
      path: ['rules'],
      message: 'there is a file for them; keep one of both',
    });
  })
  .prefault({});

const aclFileSchema = z.strictObject({ rules: rules.min(1) });

export type AclRule = z.output<typeof ruleSchema>;

/** The rules of a file and where each is written. @throws CONFIG_INVALID, as for the configuration itself */
export function parseRules(text: string, name: string): (AclRule & { readonly place: string })[] {
  const document = readDocument(text, name);
  const layered = new LayeredDocument(document, name);
  const { value, problems } =
    document.tree === undefined ? { problems: [] } : check(aclFileSchema, document.tree);
  const all = [...document.problems, ...problems];
  if (value === undefined || all.length > 0) throw invalid(all, (path) => layered.placeOf(path));
  return value.rules.map((rule, i) => ({ ...rule, place: layered.placeOf(['rules', i]) }));
}

/** Why the topic of a rule is no filter, or null if it is. */
function templateFault(text: string): string | null {
  const known = text.replaceAll(/\$\{(username|clientId)\}/g, 'x');
  if (known.includes('${')) return 'there are ${username} and ${clientId} only';
  if (known.startsWith('$share/')) return 'rules are for what is subscribed to; leave $share/<group> out';
  return filterFault(known);
}

/** One value, or several in a list. */
function listOf<T extends z.ZodType<string>>(item: T) {
  return z.preprocess((input) => (typeof input === 'string' ? [input] : input), z.array(item).min(1));
}

function isOrAll(one: Action): (some: string) => boolean {
  return (some) => some === one || some === 'all';
}
