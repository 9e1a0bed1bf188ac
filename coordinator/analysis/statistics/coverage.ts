/** What an interval is to cover, 0 to 1, if it is looked at once and nobody says otherwise. */
export const COVERAGE = 0.95;
