import { gvisorOn } from './gvisor.ts';
import { assertKvmPlatform } from './gvisor-kvm.ts';

/** gVisor that catches system calls by seccomp and signals; the default of runsc since 2023. */
export const gvisorSystrapDriver = gvisorOn({ name: 'gvisor-systrap', platform: 'systrap' });

/** gVisor that catches system calls by ptrace, as the study's did. */
export const gvisorPtraceDriver = gvisorOn({ name: 'gvisor-ptrace', platform: 'ptrace' });

/** gVisor that runs the function as a guest of KVM. */
export const gvisorKvmDriver = gvisorOn({
  name: 'gvisor-kvm',
  platform: 'kvm',
  tryPlatform: assertKvmPlatform,
});
