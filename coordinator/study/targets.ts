import type { SandboxName } from '../../schemas/sandbox.ts';

/** What the study compared, in its words. `runc` is Docker's runtime alone. */
export type Target = 'linux' | 'nanos' | 'osv' | 'docker' | 'gvisor' | 'runc';

/** A kind of sandbox that can take the place of a target. */
interface Candidate {
  readonly sandbox: SandboxName;
  /** Ratios are best made within one: what monitors differ in drops out. */
  readonly monitor: 'firecracker' | 'qemu' | 'none';
  /** How it differs from what the study had. Absent: it is what the study had. */
  readonly standIn?: string;
}

const candidate = (
  sandbox: SandboxName,
  monitor: Candidate['monitor'],
  standIn?: string,
): Candidate => ({ sandbox, monitor, ...(standIn === undefined ? {} : { standIn }) });

/** Who takes the place of each target; the best first. */
const CANDIDATES: Readonly<Record<Target, readonly Candidate[]>> = {
  linux: [
    candidate('firecracker', 'firecracker'),
    candidate('microvm', 'qemu', 'QEMU and a small init in place of Firecracker and OpenRC'),
  ],
  nanos: [
    candidate('nanos-firecracker', 'firecracker'),
    candidate('nanos', 'qemu', 'QEMU in place of Firecracker'),
  ],
  osv: [
    candidate('osv-firecracker', 'firecracker'),
    candidate('osv', 'qemu', 'QEMU in place of Firecracker'),
  ],
  docker: [
    candidate('docker', 'none'),
    candidate('runc', 'none', 'the runtime of Docker, without its daemon'),
  ],
  gvisor: [
    candidate('docker-gvisor', 'none'),
    candidate('gvisor', 'none', 'runsc without the daemon of Docker'),
  ],
  runc: [candidate('runc', 'none')],
};

/** The target that a kind of sandbox is, or stands in for, and how. */
export function targetOf(sandbox: string): { target: Target; standIn?: string } | undefined {
  // As a row of its own runc is runc, and no Docker.
  for (const target of ['runc', 'linux', 'nanos', 'osv', 'docker', 'gvisor'] as const) {
    const found = CANDIDATES[target].find((one) => one.sandbox === sandbox);
    if (found === undefined) continue;
    return { target, ...(found.standIn === undefined ? {} : { standIn: found.standIn }) };
  }
  return undefined;
}

/** The kinds of sandbox that can take the place of a target; the best first. */
export function sandboxesFor(target: Target): readonly SandboxName[] {
  return CANDIDATES[target].map(({ sandbox }) => sandbox);
}

/** One who takes the place of a target. */
export type Chosen = Candidate & { readonly target: Target };

/**
 * Who takes the place of two targets in one ratio: both as in the study if they can be, else two
 * under one monitor, else the best of each; never one sandbox for both.
 *
 * @param isMeasured whether a kind of sandbox has values
 */
export function choosePair(
  numerator: Target,
  denominator: Target,
  isMeasured: (sandbox: string) => boolean,
): readonly [Chosen, Chosen] | undefined {
  let best: { pair: readonly [Chosen, Chosen]; cost: number } | undefined;
  for (const [upperPlace, upper] of CANDIDATES[numerator].entries()) {
    for (const [lowerPlace, lower] of CANDIDATES[denominator].entries()) {
      if (upper.sandbox === lower.sandbox) continue;
      if (!isMeasured(upper.sandbox) || !isMeasured(lower.sandbox)) continue;
      const isMixed =
        upper.monitor !== 'none' && lower.monitor !== 'none' && upper.monitor !== lower.monitor;
      const cost = upperPlace + lowerPlace + (isMixed ? 10 : 0);
      if (best !== undefined && best.cost <= cost) continue;
      best = {
        pair: [
          { ...upper, target: numerator },
          { ...lower, target: denominator },
        ],
        cost,
      };
    }
  }
  return best?.pair;
}

/** The best that is measured for a target alone. */
export function chooseOne(
  target: Target,
  isMeasured: (sandbox: string) => boolean,
): Chosen | undefined {
  const found = CANDIDATES[target].find(({ sandbox }) => isMeasured(sandbox));
  return found === undefined ? undefined : { ...found, target };
}
