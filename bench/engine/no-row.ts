/** Stands where an engine returned fewer than k rows. */
export const NO_ROW = 0xffff_ffff;
