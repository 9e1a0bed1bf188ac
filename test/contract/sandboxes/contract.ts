import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'ava';
import { checkTitles, tryContract } from '../../../agent/selftest/contract.ts';
import type { ContractOutcome } from '../../../agent/selftest/contract.ts';
import { withPlace } from '../../../agent/selftest/place.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { builtArtefacts } from '../../functions/running-function.ts';

const TIMEOUT_MS = 240_000;

/**
 * Tests that a driver keeps the contract: the suite is the one that `lockstep selftest` runs on any
 * device. The device's own network is compared.
 */
export function testContract(sandbox: SandboxName): void {
  let outcome: ContractOutcome | undefined;
  let networkBefore = '';

  test.before('the suite runs in namespaces of its own', async (t) => {
    t.timeout(TIMEOUT_MS + 60_000);
    networkBefore = hostNetwork();
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    outcome = await withPlace(builtArtefacts.folder, (place) =>
      tryContract(sandbox, place, { signal, log: t.log }),
    );
  });

  for (const title of checkTitles(sandbox)) {
    test(`${sandbox} ${title}`, (t) => {
      const { unavailable } = outcome ?? {};
      if (unavailable !== undefined) {
        t.log(`skipped: ${unavailable.message} (${unavailable.hint ?? 'no remedy'})`);
        t.pass();
        return;
      }
      const check = outcome?.checks.find((one) => one.title === title);
      t.is(check?.result, 'pass', check?.message);
      if (title === 'detect') t.log(outcome?.details);
    });
  }

  test(`${sandbox} leaves the network of the device as it was`, (t) => {
    t.is(hostNetwork(), networkBefore);
  });
}

function hostNetwork(): string {
  if (!existsSync('/proc/net/dev')) return '';
  const read = (...words: string[]): string =>
    execFileSync('ip', ['-j', ...words], { encoding: 'utf8' });
  // Leases count down.
  return [read('addr'), read('link'), read('route'), read('-6', 'route')]
    .join('\n')
    .replaceAll(/"(?:valid_life_time|preferred_life_time|expires)":\d+,?/g, '');
}
