import { join } from 'node:path';
import { renameSync, writeFileSync } from 'node:fs';
import { fetchGo, findGo } from './go-toolchain.mjs';
import { fetchGuestKernel, findGuestKernel } from './guest-kernel.mjs';
import { readIfThere } from './machine.mjs';
import { NATS_VERSION_MIN, fetchNatsServer, findNatsServer } from './nats-server.mjs';
import { PrivatePackages } from './private-packages.mjs';
import { SetupError } from './report.mjs';
import { setUpTestServers } from './test-servers.mjs';

const RETRY = 'npm run setup';

/**
 * Finds or fetches what needs no rights: the NATS server, Go and the guests' kernel, and for the
 * tests the servers that telemetry is tested with.
 *
 * @param {{toolsFolder: string, machine: object, mayFetch: boolean,
 *   report: import('./report.mjs').Report, forTests: boolean}} setup
 * @throws SetupError if there is no NATS server.
 */
export async function setUpTools(setup) {
  const { toolsFolder, machine } = setup;
  const newer = PrivatePackages.ofNewerRelease(toolsFolder, machine);
  let own;
  const openOwn = () => (own ??= PrivatePackages.ofOwnRelease(toolsFolder, machine));
  try {
    const natsServer = await setUpNatsServer(setup, newer);
    const go = await setUpGo(setup, newer);
    const kernel = await setUpKernel(setup, openOwn);
    if (setup.forTests) await setUpTestServers(setup, newer);
    return { natsServer, go, kernel };
  } finally {
    own?.close();
    newer?.close();
  }
}

/** Writes what was found for the other parts to read; only if it changed. */
export function writeTools(toolsFolder, tools) {
  const path = join(toolsFolder, 'tools.json');
  const text = `${JSON.stringify(tools, null, 2)}\n`;
  if (readIfThere(path) === text) return;
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

async function setUpNatsServer({ toolsFolder, machine, mayFetch, report }, packages) {
  const found = await findNatsServer(toolsFolder);
  if (found !== undefined) return found;
  const why = `no nats-server >= ${NATS_VERSION_MIN} is on PATH`;
  if (!mayFetch) {
    throw new SetupError(
      `${why}, nothing works without one, and --no-install forbids to fetch it`,
      `${RETRY} (fetches it into .tools, without changing the system)`,
    );
  }
  const reasons = [];
  let tool;
  await report.time(async () => {
    const fetched = await fetchNatsServer(toolsFolder, machine, packages);
    reasons.push(...fetched.reasons);
    tool = fetched.tool;
    return tool && `nats-server ${tool.version}: fetched ${fetched.from}`;
  });
  if (tool !== undefined) return tool;
  throw new SetupError(
    `${why}, and it could not be fetched.\n${reasons.join('\n')}`,
    `put nats-server >= ${NATS_VERSION_MIN} on PATH, or check the network, then: ${RETRY}`,
  );
}

async function setUpGo({ toolsFolder, mayFetch, report }, packages) {
  const found = await findGo(toolsFolder);
  if (found !== undefined) return found;
  const why = 'The Go function is not built without it, and microVMs run no other.';
  if (!mayFetch || packages === undefined) {
    report.miss('go', why, mayFetch ? 'put Go >= 1.22 on PATH (https://go.dev/dl/)' : RETRY);
    return null;
  }
  let reason = '';
  let tool;
  await report.time(async () => {
    reason = await fetchGo(toolsFolder, packages);
    tool = reason === '' ? await findGo(toolsFolder) : undefined;
    return tool && `Go ${tool.version}: fetched from the newer Debian release`;
  });
  if (tool !== undefined) return tool;
  report.miss('go', `${why} ${reason}`, RETRY);
  return null;
}

async function setUpKernel({ toolsFolder, machine, mayFetch, report }, openOwn) {
  const found = findGuestKernel(toolsFolder);
  if (found !== undefined) return found;
  const why = 'MicroVMs have no kernel to boot without it.';
  if (!mayFetch || !machine.hasApt) {
    const copy = 'copy .tools/kernel-* from a Debian machine of the same architecture';
    const remedy = mayFetch ? copy : RETRY;
    report.miss('guest-kernel', why, remedy);
    return null;
  }
  let reason = '';
  let kernel;
  await report.time(async () => {
    reason = await fetchGuestKernel(toolsFolder, machine, openOwn);
    kernel = reason === '' ? findGuestKernel(toolsFolder) : undefined;
    return kernel && `guest kernel ${kernel.version}: fetched`;
  });
  if (kernel !== undefined) return kernel;
  report.miss('guest-kernel', `${why} ${reason}`, RETRY);
  return null;
}
