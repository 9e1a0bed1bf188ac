import type { EndpointSettings } from '../../telemetry/endpoints/endpoint-settings.ts';
import { endpointsFromEnvironment } from '../../telemetry/endpoints/environment.ts';
import type { Environment } from '../../telemetry/endpoints/environment.ts';

/**
 * Where the relay brings telemetry to: the endpoint that the standard variables of OpenTelemetry
 * name, if they do.
 *
 * @throws LockstepError USAGE with every mistake in the variables.
 */
export function readRelayEndpoints(environment: Environment): EndpointSettings[] {
  return endpointsFromEnvironment(environment);
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
