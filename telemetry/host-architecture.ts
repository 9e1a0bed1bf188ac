/** Architectures as OpenTelemetry names them, where Node has another name. */
const NAMES: Readonly<Record<string, string>> = { x64: 'amd64' };

/** The value of `host.arch` for an architecture as Node names it. */
export function hostArchitecture(architecture: string): string {
  return NAMES[architecture] ?? architecture;
}
