import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';

/** What proves to a NATS server who connects: the account's word, and the key that it names. */
export interface BusCredentials {
  /** The user JWT, signed by the account. */
  jwt: string;
  /** The private key as an nkey seed, `SU…`. */
  seed: string;
}

const UserClaims = z.object({ name: z.string().min(1).max(256) });

/**
 * Reads a credential in the usual `.creds` format: the JWT and the seed between dashed lines.
 *
 * @throws LockstepError NOT_FOUND if there is no such file, BUS_DENIED if it is damaged.
 */
export async function readCredentialFile(path: string): Promise<BusCredentials> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new LockstepError(
      'NOT_FOUND',
      `cannot read the NATS credential ${path}: ${errorMessageOf(cause)}`,
      { hint: 'Issue a credential for this user, and check who may read the file.', cause },
    );
  }
  const [jwt, seed] = ['NATS USER JWT', 'USER NKEY SEED'].map((title) => section(text, title));
  if (jwt !== undefined && seed !== undefined) return { jwt, seed };
  throw new LockstepError('BUS_DENIED', `the NATS credential ${path} is damaged`, {
    hint: 'Issue a new credential for this user.',
  });
}

/** A credential in the usual `.creds` format. */
export function formatCredentialFile({ jwt, seed }: BusCredentials): string {
  return [
    '-----BEGIN NATS USER JWT-----',
    jwt,
    '------END NATS USER JWT------',
    '',
    'The private key below is a secret: whoever has it is this user.',
    '',
    '-----BEGIN USER NKEY SEED-----',
    seed,
    '------END USER NKEY SEED------',
    '',
  ].join('\n');
}

/**
 * The user's name in a JWT; its signature is the server's to check.
 *
 * @throws LockstepError BUS_DENIED if it is not a user JWT.
 */
export function credentialName(jwt: string): string {
  try {
    const claims: unknown = JSON.parse(
      Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'),
    );
    return UserClaims.parse(claims).name;
  } catch (cause) {
    throw new LockstepError('BUS_DENIED', 'the NATS credential holds no user JWT', {
      hint: 'Issue a new credential for this user.',
      cause,
    });
  }
}

function section(text: string, title: string): string | undefined {
  const pattern = new RegExp(`-+BEGIN ${title}-+\\s+([A-Za-z0-9_.=-]+)\\s+-+END ${title}-+`);
  return pattern.exec(text)?.[1];
}
