/** How the fake is to behave; it reads them from its first argument. */
export interface FakeOptions {
  /** File to which a JSON line is added for each request and each step. */
  readonly journal: string;
  /** Program that stands for the guest. Absent: it boots nothing. */
  readonly guestProgram?: string;
  readonly fault?: Fault;
}

/** A way in which a VMM can fail. */
export type Fault =
  | { readonly kind: 'no-socket' }
  | { readonly kind: 'late-socket'; readonly ms: number }
  /** It ends with a code of Firecracker's in the middle of this request. */
  | { readonly kind: 'crash'; readonly at: string; readonly exitCode: number }
  /** It ends this long after the guest was started. */
  | { readonly kind: 'crash-running'; readonly ms: number; readonly exitCode: number }
  | { readonly kind: 'refuse'; readonly at: string; readonly text: string }
  /** It takes this request and never answers. */
  | { readonly kind: 'silent'; readonly at: string }
  /** As on a host whose KVM can be opened and runs no guests. */
  | { readonly kind: 'no-kvm' };

/** Version that it claims to be. */
export const FAKE_VERSION = '1.17.0';
