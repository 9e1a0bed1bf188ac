/**
 * Divides the devices into parts that start one after the other, as equal as can be and in the
 * given order. Fewer devices than waves: as many waves as devices.
 */
export function divideIntoWaves(deviceIds: readonly string[], waves: number): string[][] {
  const count = Math.max(1, Math.min(waves, deviceIds.length));
  return Array.from({ length: count }, (_, wave) =>
    deviceIds.slice(
      Math.floor((wave * deviceIds.length) / count),
      Math.floor(((wave + 1) * deviceIds.length) / count),
    ),
  );
}
