import { areCold, describeColdness } from '../conditions/coldness.ts';
import type { Instance } from '../../schemas/result.ts';
import type { Findings } from './findings.ts';

/** Notes the condition `coldness` if not every sandbox was seen to start cold. */
export function noteUnlessCold(findings: Findings, records: readonly Instance[]): void {
  if (!areCold(records)) findings.condition('coldness', describeColdness(records));
}
