/** A request that Firecracker refuses, in its own words. */
export class Refusal extends Error {
  /** True if Firecracker then ends, as after a snapshot that it could not load. */
  readonly isFatal: boolean;

  constructor(text: string, isFatal = false) {
    super(text);
    this.isFatal = isFatal;
  }
}

export const NOT_BEFORE = 'The requested operation is not supported before starting the microVM.';
export const NOT_AFTER = 'The requested operation is not supported after starting the microVM.';
