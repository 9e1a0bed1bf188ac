import test from 'ava';
import { provenanceNotes } from '../../../coordinator/analysis/provenance-notes.ts';
import { LIMITATION_CODES } from '../../../schemas/provenance.ts';
import type { LimitationCode, Provenance } from '../../../schemas/provenance.ts';

function provenanceWith(...codes: readonly LimitationCode[]): Provenance {
  return {
    source: 'study-fft',
    fileName: 'fft.csv',
    digest: `sha256:${'0'.repeat(64)}`,
    sizeBytes: 1,
    rows: 1000,
    value: 'time of the computation',
    unit: 'ms',
    resolution: 1,
    importedAtUtcMs: 0,
    importedByVersion: '0.1.0',
    limitations: codes.map((code) => ({ code, message: `${code} was seen.` })),
  };
}

test('an own run has no note on its provenance', (t) => {
  t.deepEqual(provenanceNotes({}), []);
});

test('an imported run says what file it was and what a value is', (t) => {
  const [note] = provenanceNotes({ provenance: provenanceWith() });
  t.is(note?.code, 'imported');
  t.is(
    note?.message,
    'Imported from fft.csv (study-fft, 1000 values in ms, in steps of 1). A value is: time of ' +
      'the computation.',
  );
});

test('every limitation becomes a note with a remedy; what misleads is a warning', (t) => {
  const codes = Object.keys(LIMITATION_CODES) as LimitationCode[];
  const notes = provenanceNotes({ provenance: provenanceWith(...codes) }).slice(1);
  t.deepEqual(
    notes.map(({ message }) => message),
    codes.map((code) => `${code} was seen.`),
  );
  t.true(notes.every(({ code, remedy }) => code === 'imported-limits' && remedy !== ''));
  const levelOf = (code: LimitationCode): string | undefined => notes[codes.indexOf(code)]?.level;
  t.is(levelOf('duplicated-rows'), 'warning');
  t.is(levelOf('end-point'), 'information');
});
