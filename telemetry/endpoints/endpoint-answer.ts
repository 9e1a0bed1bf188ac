import type { PartialSuccess } from '../otlp/export-response.ts';
import type { Delivery } from '../payload.ts';

const TEXT_CHARACTERS_MAX = 300;

/** Ends a text that was cut off. */
export const CUT_OFF = '…';

/** A wish for a longer pause is cut down to this. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** The start of what an endpoint wrote, in one line without control characters. */
export function excerpt(text: string): string {
  const start = text.slice(0, TEXT_CHARACTERS_MAX * 4);
  const line = start.replaceAll(/[\s\p{Cc}\p{Cf}\ufffd]+/gu, ' ').trim();
  return line.length > TEXT_CHARACTERS_MAX
    ? `${line.slice(0, TEXT_CHARACTERS_MAX)}${CUT_OFF}`
    : line;
}

/** What an endpoint took, by what it answers. */
export function acceptedBy({ rejected, message }: PartialSuccess): Delivery {
  const text = excerpt(message);
  return { outcome: 'accepted', rejected, ...(text === '' ? {} : { message: text }) };
}

/** What must be sent again, not before a while if the endpoint asks for one. */
export function retryAfter(message: string, afterMs: number | undefined): Delivery {
  if (afterMs === undefined) return { outcome: 'retry', message };
  return { outcome: 'retry', message, afterMs: Math.min(afterMs, RETRY_AFTER_MS_MAX) };
}

/**
 * Reads the header Retry-After: seconds or a date. Absent if it is neither.
 * Source: RFC 9110, 10.2.3
 *
 * @param nowUtcMs what a date is compared to
 */
export function parseRetryAfter(text: string | undefined, nowUtcMs: number): number | undefined {
  const wish = text?.trim() ?? '';
  if (/^\d+$/.test(wish)) return Number(wish) * 1000;
  // All forms of a date begin with the day; Date.parse alone takes "-5" for a year.
  const untilUtcMs = /^[A-Za-z]/.test(wish) ? Date.parse(wish) : NaN;
  return Number.isNaN(untilUtcMs) ? undefined : Math.max(0, untilUtcMs - nowUtcMs);
}
