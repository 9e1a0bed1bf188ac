/** The axis of plots over the course of a run. */
export const POSITION_AXIS = {
  label: 'position of the trial in the plan',
  labelAnchor: 'center',
  labelArrow: 'none',
  tickFormat: (position: number) => (Number.isInteger(position) ? String(position) : ''),
  ticks: 6,
} as const;
