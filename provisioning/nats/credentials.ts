import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createAccount, createOperator, createUser } from '@nats-io/nkeys';
import type { KeyPair } from '@nats-io/nkeys';
import { z } from 'zod';
import { formatCredentialFile, readCredentialFile } from '../../bus/credential-file.ts';
import type { BusCredentials } from '../../bus/credential-file.ts';
import { nkeyFromSeed } from '../../bus/nkey.ts';
import type { Nkey } from '../../bus/nkey.ts';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import { Identifier } from '../../schemas/units.ts';
import { natsJwt } from './jwt.ts';
import { ROLE_PERMISSIONS, ROLES, scopeTemplate } from './roles.ts';
import type { Role } from './roles.ts';

/** The keys of one installation: who holds them decides who may connect, as what. */
export interface Trust {
  operatorJwt: string;
  systemAccount: { publicKey: string; jwt: string };
  lockstepAccount: { publicKey: string; jwt: string };
  /** The signing key of each role. */
  roleKeys: Readonly<Record<Role, Nkey>>;
}

const Seed = z.string().regex(/^S[A-Z2-7]{57}$/);
const TrustSeeds = z.object({
  version: z.literal(1),
  operator: Seed,
  systemAccount: Seed,
  lockstepAccount: Seed,
  roles: z.object({ device: Seed, coordinator: Seed, timekeeper: Seed, researcher: Seed }),
});
type TrustSeeds = z.output<typeof TrustSeeds>;

const TRUST_FILE = 'trust.json';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * The trust of an installation; made at the first start and kept in a folder that only its owner
 * may read. Tokens are made anew from the keys each time, so that a new release may change
 * permissions.
 *
 * @throws LockstepError PERMISSION_MISSING or STORAGE_FAILED if the folder cannot be used.
 */
export async function ensureTrust(folder: string): Promise<Trust> {
  const path = join(folder, TRUST_FILE);
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    await chmod(folder, FOLDER_MODE);
    const existing = await readSeeds(path);
    if (existing !== undefined) return trustOf(existing);
    await writePrivate(path, `${JSON.stringify(newSeeds(), undefined, 2)}\n`, { replace: false });
    // Another process may have been first; what is on disk counts.
    const seeds = await readSeeds(path);
    if (seeds === undefined) throw new Error(`${path} vanished`);
    return trustOf(seeds);
  } catch (error) {
    throw folderError(error, path);
  }
}

/**
 * A credential for one user of a role. A device's user is its device id; the name in the token is
 * that, or `<role>_<user>` for other roles, so that no two roles can share an inbox.
 *
 * @throws LockstepError USAGE if the user is not an identifier.
 */
export function issueCredentials(
  trust: Trust,
  { role, user }: { role: Role; user: string },
): BusCredentials {
  if (!Identifier.safeParse(user).success) {
    throw new LockstepError('USAGE', `cannot issue a credential for user "${user}"`, {
      hint: 'Use 1 to 64 lower-case letters, digits and inner hyphens.',
    });
  }
  const pair = createUser();
  const jwt = natsJwt(
    {
      subject: pair.getPublicKey(),
      name: role === 'device' ? user : `${role}_${user}`,
      // A user of a scoped signing key has no permissions of its own: the scope's count.
      nats: { issuer_account: trust.lockstepAccount.publicKey, type: 'user', version: 2 },
    },
    trust.roleKeys[role],
  );
  return { jwt, seed: seedOf(pair) };
}

/** Writes a credential as a `.creds` file that only its owner may read, whole or not at all. */
export async function writeCredentials(path: string, credentials: BusCredentials): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
    await writePrivate(path, formatCredentialFile(credentials), { replace: true });
  } catch (error) {
    throw folderError(error, path);
  }
}

/** The credential in a file, or a new one that is written there if there is no such file. */
export async function ensureCredentials(
  trust: Trust,
  { role, user, path }: { role: Role; user: string; path: string },
): Promise<BusCredentials> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  if (exists) return readCredentialFile(path);
  const credentials = issueCredentials(trust, { role, user });
  await writeCredentials(path, credentials);
  return credentials;
}

function trustOf(seeds: TrustSeeds): Trust {
  const operator = nkeyFromSeed(seeds.operator);
  const system = nkeyFromSeed(seeds.systemAccount);
  const lockstep = nkeyFromSeed(seeds.lockstepAccount);
  const roleKeys = {
    device: nkeyFromSeed(seeds.roles.device),
    coordinator: nkeyFromSeed(seeds.roles.coordinator),
    timekeeper: nkeyFromSeed(seeds.roles.timekeeper),
    researcher: nkeyFromSeed(seeds.roles.researcher),
  };
  return {
    operatorJwt: natsJwt(
      {
        subject: operator.publicKey,
        name: 'lockstep',
        nats: { system_account: system.publicKey, type: 'operator', version: 2 },
      },
      operator,
    ),
    systemAccount: {
      publicKey: system.publicKey,
      jwt: natsJwt({ subject: system.publicKey, name: 'SYS', nats: accountClaims([]) }, operator),
    },
    lockstepAccount: {
      publicKey: lockstep.publicKey,
      jwt: natsJwt(
        { subject: lockstep.publicKey, name: 'LOCKSTEP', nats: lockstepClaims(roleKeys) },
        operator,
      ),
    },
    roleKeys,
  };
}

function lockstepClaims(roleKeys: Readonly<Record<Role, Nkey>>): Record<string, unknown> {
  const signingKeys = ROLES.map((role) => ({
    kind: 'user_scope',
    key: roleKeys[role].publicKey,
    role,
    template: scopeTemplate(ROLE_PERMISSIONS[role]),
  }));
  const claims = accountClaims(signingKeys);
  return { ...claims, limits: { ...CONNECTION_LIMITS, ...JETSTREAM_LIMITS } };
}

function accountClaims(signingKeys: unknown[]): Record<string, unknown> {
  return {
    limits: CONNECTION_LIMITS,
    signing_keys: signingKeys,
    // A user that the account itself signs, not a role's key, may do nothing.
    default_permissions: { pub: { deny: ['>'] }, sub: { deny: ['>'] } },
    type: 'account',
    version: 2,
  };
}

const CONNECTION_LIMITS = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};

/** JetStream storage of the account, bytes; the server has a limit of its own. */
export const JETSTREAM_DISK_BYTES = 16 * 1024 ** 3;

const JETSTREAM_LIMITS = {
  mem_storage: 64 * 1024 ** 2,
  disk_storage: JETSTREAM_DISK_BYTES,
  streams: 64,
  consumer: 4096,
};

function newSeeds(): TrustSeeds {
  return {
    version: 1,
    operator: seedOf(createOperator()),
    systemAccount: seedOf(createAccount()),
    lockstepAccount: seedOf(createAccount()),
    roles: {
      device: seedOf(createAccount()),
      coordinator: seedOf(createAccount()),
      timekeeper: seedOf(createAccount()),
      researcher: seedOf(createAccount()),
    },
  };
}

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed());
}

async function readSeeds(path: string): Promise<TrustSeeds | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  await chmod(path, FILE_MODE);
  return TrustSeeds.parse(JSON.parse(text));
}

async function writePrivate(
  path: string,
  text: string,
  { replace }: { replace: boolean },
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.new`;
  try {
    const file = await open(temporary, 'wx', FILE_MODE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (replace) await rename(temporary, path);
    else await linkIfAbsent(temporary, path);
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(async () => folder.close());
  } finally {
    await rm(temporary, { force: true });
  }
}

async function linkIfAbsent(existing: string, path: string): Promise<void> {
  try {
    await link(existing, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function folderError(error: unknown, path: string): LockstepError {
  if (error instanceof LockstepError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const isDenied = code === 'EACCES' || code === 'EPERM';
  return new LockstepError(
    isDenied ? 'PERMISSION_MISSING' : code === 'ENOSPC' ? 'STORAGE_FULL' : 'STORAGE_FAILED',
    `cannot use the NATS keys in ${path}: ${errorMessageOf(error)}`,
    {
      hint: 'Check the owner of the folder and the disk; a damaged file must be restored.',
      cause: error,
    },
  );
}
