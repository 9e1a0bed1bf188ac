import { readEndpointsFile } from '../relay/endpoints-file.ts';
import type { EndpointSettings } from '../../telemetry/endpoints/endpoint-settings.ts';
import { endpointsFromEnvironment } from '../../telemetry/endpoints/environment.ts';
import type { Environment } from '../../telemetry/endpoints/environment.ts';

/**
 * Where the relay brings telemetry to: the endpoints of a file, and one more if the standard
 * variables of OpenTelemetry name one.
 *
 * @param file path of a list of endpoints. Absent: none
 * @throws LockstepError ENDPOINTS_INVALID with every mistake in the file or the variables.
 */
export async function readRelayEndpoints(
  environment: Environment,
  file?: string,
): Promise<EndpointSettings[]> {
  const listed = file === undefined ? [] : await readEndpointsFile(file, environment);
  return [...listed, ...endpointsFromEnvironment(environment)];
}

/** An endpoint in words: its name and where it is, without what may be secret in an address. */
export function describeEndpoint({ name, routes }: EndpointSettings): string {
  const places = Map.groupBy(
    Object.entries(routes),
    ([, { url, protocol }]) => `${new URL(url).origin} by ${protocol}`,
  );
  const texts = [...places].map(
    ([place, found]) => `${found.map(([signal]) => signal).join(', ')} to ${place}`,
  );
  return `${name}: ${texts.join('; ')}`;
}
