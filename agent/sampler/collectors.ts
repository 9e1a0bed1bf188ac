import { HOST_COLLECTORS, SANDBOX_COLLECTORS } from '../collectors/registry.ts';
import type { Collectors } from './open-sources.ts';

/** All that this release can read. */
export const COLLECTORS: Collectors = {
  sandbox: Object.values(SANDBOX_COLLECTORS),
  host: Object.values(HOST_COLLECTORS),
};
