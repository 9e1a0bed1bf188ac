/** A coverage in percent: `95 %`; with looks on the way it is more, and has digits: `98.3 %`. */
export function coverageText(coverage: number): string {
  return `${Number((coverage * 100).toFixed(coverage > 0.999 ? 2 : 1))} %`;
}
