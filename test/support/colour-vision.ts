/** Linear light of a colour: red, green, blue from 0 to 1. */
type Linear = readonly [number, number, number];

/** How people see a colour: as it is, or without one kind of cone. */
export type Vision = 'trichromacy' | 'protanopia' | 'deuteranopia' | 'tritanopia';

/**
 * Simulation of dichromats in linear sRGB: G. Machado, M. Oliveira, L. Fernandes, "A
 * physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15(6), 2009,
 * severity 1.
 */
const MATRICES: Readonly<Record<Vision, readonly (readonly [number, number, number])[]>> = {
  trichromacy: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/**
 * How different two colours look: the distance in CIELAB (CIE 1976) under a kind of vision. About
 * 2.3 is just noticeable; 10 and more are told apart at a glance.
 *
 * @param first as #rrggbb
 */
export function colourDistance(first: string, second: string, vision: Vision): number {
  const [a, b] = [first, second].map((colour) => labOf(seen(linearOf(colour), vision)));
  return Math.hypot(a![0] - b![0], a![1] - b![1], a![2] - b![2]);
}

/** The contrast of two colours by WCAG 2.2: 1 to 21. */
export function contrast(first: string, second: string): number {
  const [a, b] = [first, second].map((colour) => luminance(linearOf(colour)));
  return (Math.max(a!, b!) + 0.05) / (Math.min(a!, b!) + 0.05);
}

function linearOf(colour: string): Linear {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const linear = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return [linear[0]!, linear[1]!, linear[2]!];
}

function seen(colour: Linear, vision: Vision): Linear {
  const parts = MATRICES[vision].map((row) =>
    Math.min(1, Math.max(0, row[0] * colour[0] + row[1] * colour[1] + row[2] * colour[2])),
  );
  return [parts[0]!, parts[1]!, parts[2]!];
}

function luminance([red, green, blue]: Linear): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** CIELAB of linear sRGB, white D65. */
function labOf([red, green, blue]: Linear): Linear {
  const x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047;
  const y = 0.2126729 * red + 0.7151522 * green + 0.072175 * blue;
  const z = (0.0193339 * red + 0.119192 * green + 0.9503041 * blue) / 1.08883;
  const [fx, fy, fz] = [x, y, z].map((part) =>
    part > 216 / 24389 ? Math.cbrt(part) : (24389 / 27) * (part / 116) + 16 / 116,
  );
  return [116 * fy! - 16, 500 * (fx! - fy!), 200 * (fy! - fz!)];
}
