import { VERSION } from '../../schemas/version.ts';
import { encodeMessage, encodeText } from './wire-format.ts';

/** The field `scope` of ScopeMetrics, ScopeSpans and ScopeLogs. */
const SCOPE = 1;
/** Fields of InstrumentationScope, opentelemetry/proto/common/v1/common.proto. */
const INSTRUMENTATION_SCOPE = { name: 1, version: 2 } as const;

/** Says that Lockstep itself made the telemetry; the same field in all three signals. */
export const SCOPE_FIELD = encodeMessage(
  SCOPE,
  encodeText(INSTRUMENTATION_SCOPE.name, 'lockstep'),
  encodeText(INSTRUMENTATION_SCOPE.version, VERSION),
);
