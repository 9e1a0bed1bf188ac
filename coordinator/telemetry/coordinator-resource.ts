import { arch, hostname, release } from 'node:os';
import { VERSION } from '../../schemas/version.ts';

/** Architectures as OpenTelemetry names them; others keep the name that Node has for them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The attributes of a coordinator in everything that is exported of it. */
export function coordinatorResource(): Record<string, string> {
  return {
    'service.version': VERSION,
    'service.instance.id': `coordinator@${hostname()}`,
    'host.name': hostname(),
    'host.arch': ARCHITECTURES[arch()] ?? arch(),
    'os.type': 'linux',
    'os.version': release(),
  };
}
