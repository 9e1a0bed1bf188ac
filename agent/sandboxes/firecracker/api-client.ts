import type { z } from 'zod';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import { VMM_DEADLINES, VmmApi } from '../vmm-api.ts';
import type { VmmAnswer, VmmDeadlines } from '../vmm-api.ts';
import { Fault, InstanceInfo, REQUEST_BODIES } from './api-schemas.ts';
import type { ConfigFile, RequestName } from './api-schemas.ts';

/** One request that changes something, with its body as it was checked. */
export interface FirecrackerRequest {
  readonly method: 'PUT' | 'PATCH';
  readonly path: string;
  readonly body: Record<string, unknown>;
}

/**
 * Builds a request, and checks its body against what Firecracker takes.
 *
 * @param id replaces the `*` of the name.
 * @throws ZodError if the body is none of this request's: a bug here.
 */
export function firecrackerRequest<N extends RequestName>(
  name: N,
  body: z.input<(typeof REQUEST_BODIES)[N]>,
  id = '',
): FirecrackerRequest {
  const [method = '', path = ''] = name.split(' ');
  return {
    method: method === 'PATCH' ? 'PATCH' : 'PUT',
    path: path.replace('*', id),
    body: REQUEST_BODIES[name].parse(body),
  };
}

/** The requests that make of a fresh Firecracker what a configuration says, and start it. */
export function startRequests(config: ConfigFile): FirecrackerRequest[] {
  const { logger, metrics, vsock } = config;
  return [
    ...(logger === undefined ? [] : [firecrackerRequest('PUT /logger', logger)]),
    ...(metrics === undefined ? [] : [firecrackerRequest('PUT /metrics', metrics)]),
    firecrackerRequest('PUT /machine-config', config['machine-config']),
    firecrackerRequest('PUT /boot-source', config['boot-source']),
    ...config.drives.map((drive) => firecrackerRequest('PUT /drives/*', drive, drive.drive_id)),
    ...config['network-interfaces'].map((network) =>
      firecrackerRequest('PUT /network-interfaces/*', network, network.iface_id),
    ),
    ...(vsock === undefined ? [] : [firecrackerRequest('PUT /vsock', vsock)]),
    firecrackerRequest('PUT /actions', { action_type: 'InstanceStart' }),
  ];
}

/** The API of one Firecracker. */
export class FirecrackerApi {
  readonly #api: VmmApi;

  constructor(socketPath: string, deadlines: VmmDeadlines = VMM_DEADLINES) {
    this.#api = new VmmApi('Firecracker', socketPath, deadlines);
  }

  /**
   * Sends a request and waits until it was carried out.
   *
   * @throws LockstepError SANDBOX_FAILED with Firecracker's own words if it refuses; what
   * {@link VmmApi.ask} throws.
   */
  async send(request: FirecrackerRequest): Promise<void> {
    const answer = await this.#api.ask(request);
    if (answer.status === 204) return;
    throw refusal(request, answer);
  }

  /**
   * Asks what state the guest is in.
   *
   * @throws LockstepError SANDBOX_FAILED if the answer is none; what {@link VmmApi.ask} throws.
   */
  async instanceInfo(): Promise<InstanceInfo> {
    const request = { method: 'GET', path: '/' } as const;
    const answer = await this.#api.ask(request);
    if (answer.status !== 200) throw refusal(request, answer);
    try {
      return InstanceInfo.parse(JSON.parse(answer.text));
    } catch (cause) {
      throw new LockstepError(
        'SANDBOX_FAILED',
        `Firecracker answered GET / with something else: ${errorMessageOf(cause).slice(0, 300)}`,
        { cause, hint: 'use a Firecracker of version 1.x' },
      );
    }
  }

  /** Gives up the connection. */
  close(): void {
    this.#api.close();
  }
}

function refusal(
  { method, path }: Pick<FirecrackerRequest, 'path'> & { readonly method: string },
  { status, text }: VmmAnswer,
): LockstepError {
  return new LockstepError(
    'SANDBOX_FAILED',
    `Firecracker answered ${method} ${path} with ${status}: ${faultOf(text)}`,
    { hint: 'Look at the log of the sandbox.' },
  );
}

function faultOf(text: string): string {
  try {
    return Fault.parse(JSON.parse(text)).fault_message.slice(0, 1000);
  } catch {
    return text.trim().slice(0, 300) || 'no reason';
  }
}
