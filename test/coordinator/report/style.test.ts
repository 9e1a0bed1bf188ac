import test from 'ava';
import { seriesLook } from '../../../coordinator/report/legend.ts';
import { pointLook } from '../../../coordinator/report/point-legend.ts';
import { DARK_COLOURS, LIGHT_COLOURS } from '../../../coordinator/report/style.ts';
import { colourDistance, contrast } from '../../support/colour-vision.ts';
import type { Vision } from '../../support/colour-vision.ts';

const VISIONS: readonly Vision[] = ['trichromacy', 'protanopia', 'deuteranopia', 'tritanopia'];
const SCHEMES = { light: LIGHT_COLOURS, dark: DARK_COLOURS } as const;

/** Colours that stand beside each other, and how far they must lie apart at least (CIE 1976). */
const SETS = [
  { name: 'series', pattern: /^s\d$/, size: 6, distanceMin: 19 },
  { name: 'phases', pattern: /^p\d$/, size: 9, distanceMin: 14 },
] as const;

for (const [scheme, colours] of Object.entries(SCHEMES)) {
  for (const { name, pattern, size, distanceMin } of SETS) {
    test(`the colours of ${name} tell apart in the ${scheme} report, whatever the vision`, (t) => {
      const set = Object.entries(colours).filter(([key]) => pattern.test(key));
      t.is(set.length, size);
      for (const vision of VISIONS) {
        for (const [index, [key, colour]] of set.entries()) {
          for (const [otherKey, other] of set.slice(index + 1)) {
            const distance = colourDistance(colour, other, vision);
            t.true(distance >= distanceMin, `${vision}: ${key} ${otherKey} ${distance.toFixed(1)}`);
          }
        }
      }
    });
  }

  test(`shapes and text of the ${scheme} report keep their contrast to the page`, (t) => {
    for (const [key, colour] of Object.entries(colours)) {
      const isShape = /^[sp]\d$|^warn-edge$/.test(key);
      const isText = ['text', 'muted', 'link', 'bad'].includes(key);
      if (isShape) t.true(contrast(colour, colours['page']!) >= 3, key);
      if (isText) {
        for (const ground of ['page', 'surface', 'warn-fill']) {
          t.true(contrast(colour, colours[ground]!) >= 4.5, `${key} on ${ground}`);
        }
      }
    }
  });
}

test('colourDistance sees what is known: red and green are alike without one kind of cone', (t) => {
  t.true(colourDistance('#d62728', '#2ca02c', 'trichromacy') > 100);
  t.true(colourDistance('#8b6508', '#5a7a00', 'deuteranopia') < 12);
  t.is(colourDistance('#123456', '#123456', 'protanopia'), 0);
  // White to black is 100 by definition of the scale; their contrast is 21.
  t.true(Math.abs(colourDistance('#000000', '#ffffff', 'trichromacy') - 100) < 0.1);
  t.is(contrast('#000000', '#ffffff'), 21);
});

test('36 series look different, and the first six in colour and form alike', (t) => {
  const lines = Array.from({ length: 36 }, (_, index) => seriesLook(index));
  const points = Array.from({ length: 36 }, (_, index) => pointLook(index));
  const count = (values: readonly unknown[]): number =>
    new Set(values.map((value) => JSON.stringify(value))).size;
  t.is(count(lines), 36);
  t.is(count(points), 36);
  t.is(count(lines.slice(0, 6).map(({ dash }) => dash ?? 'none')), 6);
  t.is(count(lines.slice(0, 6).map(({ colour }) => colour)), 6);
  t.is(count(points.slice(0, 6).map(({ symbol }) => symbol)), 6);
});
