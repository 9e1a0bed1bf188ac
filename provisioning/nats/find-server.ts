import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';

const Tools = z.object({ natsServer: z.object({ path: z.string().min(1) }).optional() });

/**
 * The nats-server to run: the one that the bootstrap put into the checkout, else the one on PATH.
 *
 * @throws LockstepError TOOL_MISSING
 */
export async function findNatsServer(checkoutFolder: string): Promise<string> {
  const ofCheckout = await pathInTools(checkoutFolder);
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = [
    ...(ofCheckout === undefined ? [] : [ofCheckout]),
    ...[...folders, '/usr/sbin'].map((folder) => join(folder, 'nats-server')),
  ];
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) return candidate;
  }
  throw new LockstepError('TOOL_MISSING', 'nats-server is neither in the checkout nor on PATH', {
    hint: 'Run `npm run setup`, or install nats-server 2.10.27 or newer.',
  });
}

async function pathInTools(checkoutFolder: string): Promise<string | undefined> {
  try {
    const text = await readFile(join(checkoutFolder, '.tools', 'tools.json'), 'utf8');
    const path = Tools.parse(JSON.parse(text)).natsServer?.path;
    if (path === undefined) return undefined;
    return isAbsolute(path) ? path : resolve(checkoutFolder, path);
  } catch {
    // Not set up yet, or damaged: PATH decides, and the error says how to set it up.
    return undefined;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
