/** Numbers as people read them. A minus sign is a minus sign, not a hyphen. */

const MINUS = "\u2212";

/** Few digits, for axes, tiles and hover: 0.53, 12, 1.2e−5; a dash where there is no number. */
export function short(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return special(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e5) return String(value).replace("-", MINUS);
  if (size >= 1e5 || size < 1e-3) {
    return value.toExponential(digits - 1).replace("e+", "e").replaceAll("-", MINUS);
  }
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value.toFixed(places).replace("-", MINUS);
}

/** A loss or a score: as many digits as tell two epochs apart. */
export function loss(value: number | null | undefined): string {
  return short(value, 3);
}

/** A share of 1 as a percentage. */
export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const shown = 100 * value;
  const places = shown > 0 && shown < 100 && (shown > 99 || shown < 1) ? 2 : 1;
  return `${shown.toFixed(shown === 0 || shown === 100 ? 0 : places)}%`;
}

/** Every digit that tells this number from its neighbours; small ones as 2.5e−5. */
export function exact(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return special(value);
  const small = value !== 0 && Math.abs(value) < 1e-3;
  return (small ? value.toExponential() : String(value)).replaceAll("-", MINUS);
}

/** With its sign, always: +0.53. */
export function signed(value: number, digits = 2): string {
  return value > 0 ? `+${short(value, digits)}` : short(value, digits);
}

/** With thin spaces between thousands. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

function special(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "∞" : `${MINUS}∞`;
}
