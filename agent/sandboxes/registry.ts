import { LockstepError } from '../../schemas/errors.ts';
import { SandboxName } from '../../schemas/sandbox.ts';
import { bubblewrapDriver } from './bubblewrap.ts';
import { cloudHypervisorDriver } from './cloud-hypervisor.ts';
import { containerdDriver } from './containerd.ts';
import { crunDriver } from './crun.ts';
import { dockerCrunDriver, dockerDriver, dockerGvisorDriver } from './docker.ts';
import type { SandboxDriver } from './driver.ts';
import {
  firecrackerDriver,
  firecrackerRestoredDriver,
  nanosFirecrackerDriver,
  osvFirecrackerDriver,
} from './firecracker/driver.ts';
import { gvisorNetstackDriver } from './gvisor-netstack.ts';
import { gvisorKvmDriver, gvisorPtraceDriver, gvisorSystrapDriver } from './gvisor-platforms.ts';
import { gvisorDriver } from './gvisor.ts';
import { microvmExt4Driver } from './microvm-ext4.ts';
import { microvmRestoredDriver } from './microvm-restored.ts';
import { microvmDriver } from './microvm.ts';
import { nanosDriver } from './nanos.ts';
import { nspawnDriver } from './nspawn.ts';
import { osvDriver } from './osv.ts';
import { podmanDriver } from './podman.ts';
import { processDriver } from './process.ts';
import { runcDriver } from './runc.ts';
import { umlDriver } from './uml.ts';
import { wasiDriver } from './wasi.ts';
import { workerdDriver } from './workerd.ts';

/** The driver of each kind of sandbox. */
export const drivers: Record<SandboxName, SandboxDriver> = {
  process: processDriver,
  runc: runcDriver,
  bubblewrap: bubblewrapDriver,
  crun: crunDriver,
  nspawn: nspawnDriver,
  gvisor: gvisorDriver,
  docker: dockerDriver,
  'docker-crun': dockerCrunDriver,
  'docker-gvisor': dockerGvisorDriver,
  podman: podmanDriver,
  containerd: containerdDriver,
  'gvisor-systrap': gvisorSystrapDriver,
  'gvisor-ptrace': gvisorPtraceDriver,
  'gvisor-kvm': gvisorKvmDriver,
  'gvisor-netstack': gvisorNetstackDriver,
  microvm: microvmDriver,
  'microvm-ext4': microvmExt4Driver,
  'microvm-restored': microvmRestoredDriver,
  uml: umlDriver,
  nanos: nanosDriver,
  osv: osvDriver,
  firecracker: firecrackerDriver,
  'firecracker-restored': firecrackerRestoredDriver,
  'nanos-firecracker': nanosFirecrackerDriver,
  'osv-firecracker': osvFirecrackerDriver,
  'cloud-hypervisor': cloudHypervisorDriver,
  wasi: wasiDriver,
  workerd: workerdDriver,
};

/**
 * The driver of a kind of sandbox that a cell names.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if this release has none: records may name others.
 */
export function driverOf(sandbox: string): SandboxDriver {
  const name = SandboxName.safeParse(sandbox);
  if (name.success) return drivers[name.data];
  throw new LockstepError('SANDBOX_UNAVAILABLE', `there is no driver for sandbox '${sandbox}'`, {
    hint: `This release has ${SandboxName.options.join(', ')}.`,
  });
}
