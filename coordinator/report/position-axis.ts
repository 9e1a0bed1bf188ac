/** The axis of plots over the course of a run. */
export const POSITION_AXIS = {
  label: 'position of the trial in the plan',
  labelAnchor: 'center',
  labelArrow: 'none',
  tickFormat: (position: number) => (Number.isInteger(position) ? String(position) : ''),
  ticks: 6,
  // The first and the last trial must not be cut at the edge.
  inset: 6,
} as const;
