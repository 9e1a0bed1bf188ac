import { linkSync, rmSync, writeFileSync } from 'node:fs';
import { readIfThere } from './machine.mjs';

/** Where Debian asks whether a package may start its service; see invoke-rc.d(8). */
export const POLICY_PATH = '/usr/sbin/policy-rc.d';

const MARKER = '# Made by the set-up of Lockstep while it installs packages; safe to remove.';
const POLICY = `#!/bin/sh\n${MARKER}\nexit 101\n`;

/**
 * Runs something during which no package may start a service. A policy that somebody else has made
 * stays as it is.
 */
export async function withoutServices(run, path = POLICY_PATH) {
  const isOurs = writePolicy(path);
  try {
    return await run();
  } finally {
    if (isOurs) removeOwnPolicy(path);
  }
}

/** Removes the policy if it is ours: a set-up that was killed may have left it. */
export function removeOwnPolicy(path = POLICY_PATH) {
  const isOurs = readIfThere(path)?.split('\n')[1] === MARKER;
  if (isOurs) rmSync(path, { force: true });
  return isOurs;
}

function writePolicy(path) {
  const draft = `${path}.lockstep-${process.pid}`;
  try {
    writeFileSync(draft, POLICY, { mode: 0o755 });
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
