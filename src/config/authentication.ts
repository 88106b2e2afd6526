/** The part of the schema that says who gets in. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { shown } from './problem.js';
import { duration } from './quantity.js';

const TYPES = ['password', 'certificate', 'jwt', 'http'] as const;
type Type = (typeof TYPES)[number];

/** Signatures that a key can be published for; never `none`, and no shared secrets. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
] as const;

/** The keys of each type: what there must be, and what there may be. */
const KEYS: Readonly<Record<Type, { readonly needs: readonly string[]; readonly takes: readonly string[] }>> =
  {
    password: { needs: ['file'], takes: [] },
    certificate: { needs: [], takes: ['userFrom'] },
    jwt: { needs: ['issuer', 'audience'], takes: ['jwksFile', 'jwksUrl', 'algorithms', 'timeout'] },
    http: { needs: ['url'], takes: ['timeout'] },
  };

const file = z
  .string()
  .regex(/^[^\0]+$/, { error: ({ input }) => `expected the path of a file, got ${shown(input)}` })
  .transform((path) => resolve(path));

const url = z.string().refine(isHttp, {
  // Without what is there instead: it may hold a password.
  error: 'expected http://... or https://... without user and password',
});

/** One link of the chain. Flat, so that a wrong key is named; which keys there are depends on `type`. */
export const authenticationSchema = z
  .strictObject({
    type: z.enum(TYPES),
    /** Of `mqtt-stream passwd`. */
    file: file.optional(),
    /** What of the certificate is the user. */
    userFrom: z.enum(['cn', 'san']).optional(),
    jwksFile: file.optional(),
    jwksUrl: url.optional(),
    issuer: z.string().min(1).optional(),
    audience: z.string().min(1).optional(),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1).optional(),
    url: url.optional(),
    /** Of an HTTP request, ms. */
    timeout: duration({ min: 1, max: 60_000 }).optional(),
  })
  .superRefine((link, context) => {
    const { needs, takes } = KEYS[link.type];
    for (const key of Object.keys(link)) {
      if (key === 'type' || needs.includes(key) || takes.includes(key)) continue;
      const owners = TYPES.filter((type) => [...KEYS[type].needs, ...KEYS[type].takes].includes(key));
      const message = `is for ${owners.join(', ')} only; remove it`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
    for (const key of needs) {
      if (key in link) continue;
      context.addIssue({ code: 'custom', path: [key], message: `is missing; ${link.type} needs it` });
    }
    if (link.type === 'jwt' && (link.jwksFile === undefined) === (link.jwksUrl === undefined)) {
      const message = 'exactly one of jwksFile and jwksUrl says where the keys are';
      context.addIssue({ code: 'custom', path: [], message });
    }
  })
  .transform((link) => {
    const { type, timeout = 5000 } = link;
    switch (type) {
      case 'password':
        return { type, file: link.file! };
      case 'certificate':
        return { type, userFrom: link.userFrom ?? ('cn' as const) };
      case 'jwt': {
        const { issuer, audience, algorithms = [...ALGORITHMS] } = link;
        const common = { type, issuer: issuer!, audience: audience!, algorithms };
        return link.jwksFile === undefined
          ? { ...common, jwksUrl: link.jwksUrl!, timeout }
          : { ...common, jwksFile: link.jwksFile };
      }
      case 'http':
        return { type, url: link.url!, timeout };
    }
  });

function isHttp(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

export type AuthenticationConfig = z.output<typeof authenticationSchema>;
