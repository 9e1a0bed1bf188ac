import { findProgram, hasStaticCompiler } from './machine.mjs';
import { runApt } from './private-packages.mjs';
import { sandboxNeeds } from './sandbox-packages.mjs';
import { withoutServices } from './service-policy.mjs';

const INSTALL_TIMEOUT_MS = 900_000;
const UPDATE_TIMEOUT_MS = 180_000;
const REPAIR_TIMEOUT_MS = 300_000;
const INSTALL_WORDS = ['install', '--yes', '--no-install-recommends', '--no-remove'];
const LOCK_WORDS = ['-o', 'DPkg::Lock::Timeout=180', '-o', 'Dpkg::Options::=--force-confold'];

/**
 * What sandboxes and functions need of the system: the programs that show that a package is there,
 * and why it matters. The tests need a browser besides, and nothing else does; kinds of sandbox
 * that are named need their own packages.
 *
 * @returns {{name: string, packages: string[], isThere: () => boolean, why: string}[]}
 */
export function systemNeeds(machine, { forTests = false, sandboxes = [] } = {}) {
  return [
    need('runc', ['runc'], ['runc'], 'Containers (sandbox runc) cannot be measured without it.'),
    need('runsc', ['runsc'], ['runsc'], 'gVisor sandboxes cannot be measured without it.'),
    need(
      machine.qemu,
      [machine.qemu],
      [machine.qemuPackage],
      'MicroVMs cannot be measured without it.',
    ),
    need('ip', ['ip'], ['iproute2'], 'Sandboxes get no network of their own without it.'),
    need(
      'nsenter',
      ['nsenter', 'unshare', 'chrt', 'setpriv'],
      ['util-linux'],
      'Sandboxes get no namespaces of their own without it.',
    ),
    need('lz4', ['lz4'], ['lz4'], 'MicroVMs boot a packed kernel without it, which takes longer.'),
    {
      name: 'cc',
      packages: ['gcc', 'libc6-dev'],
      isThere: () => hasStaticCompiler(machine.triplet),
      why: 'The Go function is built in a form that unikernels cannot load without it.',
    },
    ...(forTests
      ? [need('chromium', ['chromium'], ['chromium'], 'Reports are not checked in a browser.')]
      : []),
    ...sandboxNeeds(machine, sandboxes),
  ];
}

/**
 * Installs what is missing where that is allowed, and says what is missing still.
 *
 * @param {{machine: object, mayInstall: boolean, report: import('./report.mjs').Report,
 *   forTests?: boolean, sandboxes?: string[], allNeeds?: ReturnType<typeof systemNeeds>}} setup
 */
export async function setUpSystem(setup) {
  const { machine, mayInstall, report, forTests, sandboxes, allNeeds } = setup;
  const known = allNeeds ?? systemNeeds(machine, { forTests, sandboxes });
  const needs = known.filter((need) => !need.isThere());
  if (needs.length === 0) return;
  let reason = '';
  if (machine.isRoot && mayInstall && machine.hasApt) {
    await report.time(async () => {
      reason = await installPackages(needs);
      const added = needs.filter((need) => need.isThere()).flatMap((need) => need.packages);
      return added.length === 0 ? undefined : `${added.join(', ')}: installed`;
    });
  }
  const missing = needs.filter((need) => !need.isThere());
  if (missing.length > 0 && reason !== '') report.say(`apt-get failed: ${reason}`);
  for (const need of missing) {
    report.miss(need.name, need.why, installRemedy(need.packages, machine));
  }
}

/** The one command that adds packages, as a user would type it. */
export function installRemedy(packages, machine) {
  if (!machine.hasApt)
    return `install ${packages.join(' and ')} with this system's package manager`;
  const sudo = machine.isRoot ? '' : 'sudo ';
  return `${sudo}apt-get install --no-install-recommends --no-remove ${packages.join(' ')}`;
}

/**
 * Installs packages in one call, without recommended ones, without removing any, without starting
 * a service. If that call fails, each thing is tried alone, so that one does not cost the others.
 *
 * @returns {Promise<string>} why something is still not there; empty if all is.
 */
async function installPackages(needs) {
  return withoutServices(async () => {
    const names = needs.flatMap((one) => one.packages);
    let outcome = await install(names);
    if (outcome.ok) return '';
    if (/dpkg was interrupted|dpkg --configure -a/.test(outcome.reason)) {
      await runApt('dpkg', ['--configure', '-a'], {
        timeoutMs: REPAIR_TIMEOUT_MS,
        endsOnInterrupt: false,
      });
    }
    const update = await runApt('apt-get', ['update', ...LOCK_WORDS], {
      timeoutMs: UPDATE_TIMEOUT_MS,
    });
    outcome = await install(names);
    if (outcome.ok) return '';
    const reasons = update.ok ? [] : [update.reason];
    for (const one of needs.length > 1 ? needs : []) {
      const alone = await install(one.packages);
      if (!alone.ok) reasons.push(alone.reason);
    }
    return needs.length > 1 ? reasons.join('\n') : [...reasons, outcome.reason].join('\n');
  });
}

function need(name, programs, packages, why) {
  const isThere = () => programs.every((program) => findProgram(program) !== undefined);
  return { name, packages, isThere, why };
}

/** An interrupt must not leave packages half configured, so the call runs to its end. */
function install(names) {
  return runApt('apt-get', [...INSTALL_WORDS, ...LOCK_WORDS, ...names], {
    timeoutMs: INSTALL_TIMEOUT_MS,
    endsOnInterrupt: false,
  });
}
