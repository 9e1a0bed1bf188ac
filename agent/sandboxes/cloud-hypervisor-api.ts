import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { VMM_DEADLINES, VmmApi } from './vmm-api.ts';
import type { VmmDeadlines } from './vmm-api.ts';

const HostPath = z.string().min(1).max(4096);

/**
 * The part of a VmConfig that is used here. Sizes in bytes. Source: Cloud Hypervisor,
 * vmm/src/api/openapi/cloud-hypervisor.yaml, version 0.3.0 of its API.
 */
export const VmConfig = z.strictObject({
  payload: z.strictObject({
    kernel: HostPath,
    cmdline: z.string().max(2048),
    initramfs: HostPath.optional(),
  }),
  cpus: z.strictObject({ boot_vcpus: z.int().min(1), max_vcpus: z.int().min(1) }),
  memory: z.strictObject({ size: z.int().min(1) }),
  disks: z.array(z.strictObject({ path: HostPath, readonly: z.boolean() })).max(8),
  net: z
    .array(
      z.strictObject({
        tap: z.string().min(1).max(15),
        ip: z.ipv4(),
        mask: z.ipv4(),
        mac: z.string().regex(/^(?:[\da-f]{2}:){5}[\da-f]{2}$/i),
      }),
    )
    .max(8),
  serial: z.strictObject({ mode: z.enum(['Off', 'Tty', 'Null']) }),
  console: z.strictObject({ mode: z.enum(['Off', 'Tty', 'Null']) }),
});
export type VmConfig = z.output<typeof VmConfig>;

/** The API of one Cloud Hypervisor. */
export class CloudHypervisorApi {
  readonly #api: VmmApi;

  constructor(socketPath: string, deadlines: VmmDeadlines = VMM_DEADLINES) {
    this.#api = new VmmApi('Cloud Hypervisor', socketPath, deadlines);
  }

  /**
   * Creates and boots a guest in a Cloud Hypervisor that has none.
   *
   * @throws LockstepError SANDBOX_FAILED if it refuses; what {@link VmmApi.ask} throws.
   */
  async boot(config: VmConfig): Promise<void> {
    await this.#put('vm.create', VmConfig.parse(config));
    await this.#put('vm.boot');
  }

  /** Gives up the connection. */
  close(): void {
    this.#api.close();
  }

  async #put(action: string, body?: VmConfig): Promise<void> {
    const path = `/api/v1/${action}`;
    const { status, text } = await this.#api.ask({ method: 'PUT', path, body });
    if (status === 204 || status === 200) return;
    throw new LockstepError(
      'SANDBOX_FAILED',
      `Cloud Hypervisor answered PUT ${path} with ${status}: ${text.trim().slice(0, 1000)}`,
      { hint: 'Look at the log of the sandbox.' },
    );
  }
}
