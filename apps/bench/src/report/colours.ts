/** Colours that the colour-blind can tell apart (after P. Tol). */
export const COLOURS: readonly string[] = [
  '#4477aa',
  '#ee6677',
  '#228833',
  '#ccbb44',
  '#66ccee',
  '#aa3377',
  '#bbbbbb',
  '#004488',
  '#ddaa33',
  '#bb5566',
  '#777777',
];

/** The same without the light grey, which lines and texts do not stand out in. */
export const LINE_COLOURS: readonly string[] = COLOURS.filter((colour) => colour !== '#bbbbbb');
