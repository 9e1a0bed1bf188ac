import type { DriverContext, SandboxSpec } from '../driver.ts';
import type { Lack } from '../host-lacks.ts';

/** A raw image that a guest gets as a block device; its own, and removed with it. */
export interface GuestDrive {
  /** Letters, digits and underscores. */
  readonly id: string;
  readonly file: string;
  /** True if the guest's Linux kernel is to mount it as its root. */
  readonly isRoot: boolean;
  readonly isReadOnly: boolean;
}

/** What Firecracker boots. Every file must be readable where the runner is. */
export interface GuestPayload {
  /** An uncompressed ELF file on x64, an Image on arm64. */
  readonly kernelFile: string;
  readonly initrdFile?: string;
  readonly bootArgs: string;
  readonly drives: readonly GuestDrive[];
}

/** How a kind of guest gets from a function to what Firecracker boots. */
export interface GuestKind {
  /** What of its kernel and programs is missing here; empty if all is there. */
  lacks(context: DriverContext): Promise<Lack[]>;
  /** What it runs on, for the details of each result. Called if nothing is missing. */
  describe(context: DriverContext): Promise<Record<string, string>>;
  /** The files beside the images that a start reads, e.g. its kernel. */
  diskFiles(context: DriverContext): Promise<readonly string[]>;
  /**
   * A guest without a function that prints `PROBE_MARKER`, to find out whether KVM runs guests.
   * Undefined if this kind has none; then the first function in it shows that.
   */
  probe(context: DriverContext): Promise<GuestPayload | undefined>;
  /**
   * What boots this function with these addresses.
   *
   * @throws LockstepError IMAGE_INVALID if the function does not fit this kind of guest.
   */
  payload(context: DriverContext, spec: SandboxSpec): Promise<GuestPayload>;
}
