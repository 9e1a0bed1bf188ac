import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { credentialName, readCredentialFile } from '../../../bus/credential-file.ts';
import {
  ensureCredentials,
  ensureTrust,
  issueCredentials,
  writeCredentials,
} from '../../../provisioning/nats/credentials.ts';
import { serverConfig } from '../../../provisioning/nats/server-config.ts';
import { rejection } from '../../support/rejection.ts';

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-keys-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

const modeOf = async (path: string): Promise<string> =>
  ((await stat(path)).mode & 0o777).toString(8);

test('keys are made once, by whichever process is first, for their owner only', async (t) => {
  const folder = join(await temporaryFolder(t), 'keys');
  const trusts = await Promise.all(Array.from({ length: 5 }, () => ensureTrust(folder)));
  const accounts = trusts.map(({ lockstepAccount }) => lockstepAccount.publicKey);
  t.is(new Set(accounts).size, 1);
  t.regex(accounts[0] ?? '', /^A[A-Z2-7]{55}$/);
  t.deepEqual(await readdir(folder), ['trust.json']);
  t.is(await modeOf(folder), '700');
  t.is(await modeOf(join(folder, 'trust.json')), '600');
  await chmod(join(folder, 'trust.json'), 0o644);
  const again = await ensureTrust(folder);
  t.true(accounts.includes(again.lockstepAccount.publicKey));
  t.is(await modeOf(join(folder, 'trust.json')), '600');
});

test('damaged keys are an error, and are not replaced', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'trust.json'), '{"version":1');
  t.is((await rejection(ensureTrust(folder))).code, 'STORAGE_FAILED');
  t.is((await stat(join(folder, 'trust.json'))).size, 12);
});

test('a credential survives its file, is kept, and is for its owner only', async (t) => {
  const folder = await temporaryFolder(t);
  const trust = await ensureTrust(join(folder, 'keys'));
  const path = join(folder, 'agents', 'd1.creds');
  const who = { role: 'device', user: 'd1', path } as const;
  const issued = await ensureCredentials(trust, who);
  t.deepEqual(await ensureCredentials(trust, who), issued);
  t.deepEqual(await readCredentialFile(path), issued);
  t.is(credentialName(issued.jwt), 'd1');
  t.is(await modeOf(path), '600');
  const other = issueCredentials(trust, { role: 'coordinator', user: 'd1' });
  t.is(credentialName(other.jwt), 'coordinator_d1');
  await writeCredentials(path, other);
  t.deepEqual(await readCredentialFile(path), other);
  t.deepEqual(await readdir(join(folder, 'agents')), ['d1.creds']);
  await writeFile(path, 'nonsense');
  t.is((await rejection(readCredentialFile(path))).code, 'BUS_DENIED');
  t.is((await rejection(readCredentialFile(join(folder, 'none')))).code, 'NOT_FOUND');
});

test('a user that could be a wildcard or another token is refused', async (t) => {
  const trust = await ensureTrust(await temporaryFolder(t));
  for (const user of ['', '*', '>', 'a.b', 'researcher_ann', 'D1', 'a b', 'x'.repeat(65)]) {
    t.throws(() => issueCredentials(trust, { role: 'device', user }), { code: 'USAGE' }, user);
  }
});

test('a user token has no permissions of its own, and is signed by its role', async (t) => {
  const trust = await ensureTrust(await temporaryFolder(t));
  const { jwt } = issueCredentials(trust, { role: 'device', user: 'd1' });
  const [header = '', body = ''] = jwt.split('.');
  const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  t.deepEqual(decode(header), { typ: 'JWT', alg: 'ed25519-nkey' });
  t.like(decode(body), {
    iss: trust.roleKeys.device.publicKey,
    name: 'd1',
    nats: { issuer_account: trust.lockstepAccount.publicKey, type: 'user', version: 2 },
  });
  t.not(trust.roleKeys.device.publicKey, trust.roleKeys.coordinator.publicKey);
});

test('the configuration syncs always, listens where asked, and quotes what it is given', async (t) => {
  const trust = await ensureTrust(await temporaryFolder(t));
  const text = serverConfig({
    trust,
    host: '127.0.0.1',
    port: 0,
    storeFolder: '/data/a "b"\\c',
    portsFolder: '/data/ports',
    logFile: '/data/log',
  });
  for (const line of [
    'host: "127.0.0.1"',
    'port: -1',
    'sync_interval: always',
    'store_dir: "/data/a \\"b\\"\\\\c"',
    'resolver: MEMORY',
    `operator: "${trust.operatorJwt}"`,
    `system_account: "${trust.systemAccount.publicKey}"`,
  ]) {
    t.true(
      text.split('\n').some((other) => other.trim() === line),
      line,
    );
  }
});
