import { arch, hostname, release } from 'node:os';
import { VERSION } from '../../schemas/version.ts';
import { hostArchitecture } from '../../telemetry/host-architecture.ts';

/** The attributes of a coordinator in everything that is exported of it. */
export function coordinatorResource(): Record<string, string> {
  return {
    'service.version': VERSION,
    'service.instance.id': `coordinator@${hostname()}`,
    'host.name': hostname(),
    'host.arch': hostArchitecture(arch()),
    'os.type': 'linux',
    'os.version': release(),
  };
}
