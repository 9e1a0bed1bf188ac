import type { DeviceFacts } from '../../schemas/device.ts';

const GIB = 2 ** 30;

/** One thing that a device found of itself and that may change a figure, in words. */
export interface DeviceCondition {
  readonly name: string;
  readonly value: string;
}

/**
 * What may change the figures of a device, beside its model and its kernel. What the device does
 * not know, or did not tell as its agent is older, is left out.
 */
export function deviceConditions(facts: DeviceFacts): DeviceCondition[] {
  const texts: Record<string, string | undefined> = {
    'kernel architecture': facts.kernelMachine,
    'kernel timer': withUnit(facts.timerHz, 'Hz'),
    'page size': withUnit(facts.pageSizeBytes, 'bytes'),
    preemption: facts.preemption,
    'clock source': facts.clocksource,
    lockdown: facts.lockdown,
    'cgroup versions': facts.cgroupLayout,
    'cgroup controllers': facts.cgroupControllers?.join(' '),
    'pressure (PSI)': pressureText(facts.pressure),
    'frequency governor': policiesText(facts.frequencyPolicies),
    turbo: onOrOff(facts.isTurboOn),
    'shared cores (SMT)': onOrOff(facts.isSmtActive),
    'isolated processors': facts.isolatedCpus,
    swap: swapText(facts.swap),
    'page merging (KSM)': onOrOff(facts.isKsmOn),
    'huge pages': facts.hugePages,
    hypervisor: facts.hypervisor,
    container: facts.container,
    KVM: kvmText(facts.kvm),
    disk: diskText(facts.disk),
    network: networkText(facts.network),
  };
  return Object.entries(texts).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [{ name, value }],
  );
}

function withUnit(value: number | undefined, unit: string): string | undefined {
  return value === undefined ? undefined : `${value} ${unit}`;
}

function onOrOff(isOn: boolean | undefined): string | undefined {
  return isOn === undefined ? undefined : isOn ? 'on' : 'off';
}

function pressureText(pressure: DeviceFacts['pressure']): string | undefined {
  if (pressure === undefined) return undefined;
  return pressure.available ? 'available' : `unavailable: ${pressure.reason}`;
}

function policiesText(policies: DeviceFacts['frequencyPolicies']): string | undefined {
  return policies
    ?.map(({ cpus, governor, driver, minimumHz, maximumHz }) => {
      const range = [minimumHz, maximumHz].map((hz) =>
        hz === undefined ? '?' : (hz / 1e9).toFixed(2),
      );
      const by = driver === undefined ? '' : ` (${driver})`;
      return `${governor}${by} on ${cpus}, ${range.join(' to ')} GHz`;
    })
    .join('; ');
}

function swapText(swap: DeviceFacts['swap']): string | undefined {
  if (swap === undefined) return undefined;
  if (swap.totalBytes === 0) return 'none';
  const zram = swap.zramBytes === 0 ? '' : `, ${(swap.zramBytes / GIB).toFixed(1)} of it in zram`;
  return `${(swap.totalBytes / GIB).toFixed(1)} GiB${zram}`;
}

function kvmText(kvm: DeviceFacts['kvm']): string | undefined {
  if (kvm === undefined) return undefined;
  const boots = kvm.reason === undefined ? 'no guest boots' : `no guest boots: ${kvm.reason}`;
  const outcome =
    kvm.guestBoots === undefined
      ? kvm.isAccessible
        ? 'accessible'
        : 'not accessible'
      : kvm.guestBoots
        ? 'a guest boots'
        : boots;
  return [kvm.module, outcome].filter((part) => part !== undefined).join(', ');
}

/** Without the space, which every run changes. */
function diskText(disk: DeviceFacts['disk']): string | undefined {
  const parts = [disk?.kind, disk?.model, disk?.fileSystem].filter((part) => part !== undefined);
  return disk === undefined || parts.length === 0 ? undefined : parts.join(', ');
}

function networkText(network: DeviceFacts['network']): string | undefined {
  if (network === undefined) return undefined;
  const speed = network.speedMbps === undefined ? [] : [`${network.speedMbps} Mbit/s`];
  const driver = network.driver === undefined ? [] : [network.driver];
  return [network.kind, ...driver, ...speed].join(', ');
}
