import type { Instance } from '../../schemas/result.ts';

/**
 * Tells whether starts were cold ones: the main of the function began after the request. A sandbox
 * that was restored from a saved state, or was taken from a pool, shows no such beginning. Only
 * those that answered are looked at.
 */
export function describeColdness(instances: readonly Instance[]): string {
  const { answered, cold, warm } = count(instances);
  const parts = [`the function began after the request in ${cold} of ${answered}`];
  if (warm > 0) parts.push(`it had begun before in ${warm}`);
  const unseen = answered - cold - warm;
  if (unseen > 0) parts.push(`it was not seen to begin in ${unseen}`);
  return parts.join('; ');
}

/** True if every sandbox that answered was seen to start cold. */
export function areCold(instances: readonly Instance[]): boolean {
  const { answered, cold } = count(instances);
  return cold === answered;
}

function count(instances: readonly Instance[]): { answered: number; cold: number; warm: number } {
  const answered = instances.filter(({ status }) => status === 'ok');
  const begun = answered.flatMap(({ phases: { appMain, request } }) =>
    appMain === undefined || request === undefined ? [] : [appMain >= request],
  );
  const cold = begun.filter(Boolean).length;
  return { answered: answered.length, cold, warm: begun.length - cold };
}
