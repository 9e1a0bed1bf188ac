import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { CHECKOUT_FOLDER } from '../home.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Work } from '../session.ts';

/** Runs an agent in the foreground, in a process of its own: it shares nothing with this one. */
export function agent(args: readonly string[]): Work {
  return ({ signal }) =>
    new Promise((resolve) => {
      const entry = join(CHECKOUT_FOLDER, 'agent/main.ts');
      const child = spawn(process.execPath, [entry, ...args], {
        stdio: ['ignore', 'inherit', 'inherit'],
        detached: true,
      });
      signal.addEventListener('abort', () => child.kill('SIGTERM'));
      child.once('error', () => {
        resolve(EXIT_CODES.failed);
      });
      child.once('close', (code) => {
        resolve(code ?? EXIT_CODES.failed);
      });
    });
}
