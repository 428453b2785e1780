/** Numbers as people read them. A minus sign is a minus sign, not a hyphen. */

const MINUS = "\u2212";

/** A text of a number with minus signs. */
export function minus(text: string): string {
  return text.replaceAll("-", MINUS);
}

/** Few digits, for axes, tiles and hover: 0.53, 12, 1.2e−5; a dash where there is no number. */
export function short(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return special(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e5) return minus(String(value));
  if (size >= 1e5 || size < 1e-3) {
    return minus(value.toExponential(digits - 1).replace("e+", "e"));
  }
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return minus(value.toFixed(places));
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
  return minus(small ? value.toExponential() : String(value));
}

/** With its sign, always: +0.53. */
export function signed(value: number, digits = 2): string {
  return value > 0 ? `+${short(value, digits)}` : short(value, digits);
}

/** A number from a range so wide: with the digits that tell a hundredth of it, thousands apart. */
export function within(value: number, width: number): string {
  const part = width / 100;
  if (!(part > 0) || !Number.isFinite(width) || !Number.isFinite(value)) return short(value, 3);
  const size = Math.abs(value);
  if (size < part / 2) return "0";
  const place = Math.floor(Math.log10(part));
  if (size >= 1e12 || size < 1e-3) {
    const digits = Math.min(15, Math.max(0, Math.floor(Math.log10(size)) - place));
    return minus(value.toExponential(digits).replace("e+", "e"));
  }
  if (place >= 0) return minus(count(Math.round(value / 10 ** place) * 10 ** place));
  const [whole, rest] = value.toFixed(Math.min(-place, 15)).split(".");
  return minus(`${grouped(whole!)}.${rest}`);
}

/** With thin spaces between thousands. */
export function count(value: number): string {
  return grouped(String(Math.round(value)));
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, "\u202f"); // a thin space at which no line ends
}

function special(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "∞" : `${MINUS}∞`;
}
