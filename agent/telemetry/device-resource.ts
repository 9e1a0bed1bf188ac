import type { DeviceFacts } from '../../schemas/device.ts';
import { hostArchitecture } from '../../telemetry/host-architecture.ts';

/**
 * The attributes of a device in everything that is exported of it: what it measured of itself, and
 * none of the labels that people set.
 */
export function deviceResource(
  deviceId: string,
  agentVersion: string,
  facts: DeviceFacts,
): Record<string, string> {
  const known: Record<string, string> = {
    'service.version': agentVersion,
    'service.instance.id': deviceId,
    'device.id': deviceId,
    'device.model.name': facts.model,
    'host.id': facts.machineId,
    'host.name': facts.hostname,
    'host.arch': hostArchitecture(facts.architecture),
    'host.cpu.model.name': facts.cpuModel,
    'os.type': 'linux',
    'os.description': facts.os,
    'os.version': facts.kernel,
  };
  // What is not known is absent, so that nobody takes an empty text for a value.
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value.trim() !== ''));
}
