/** Messages from the server: a JSON header, then arrays. All numbers are little-endian. */

export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface NdArray {
  data: Numbers;
  shape: number[];
}

export interface Message {
  kind: string;
  /** The id of the command that it answers. */
  id?: number;
  arrays: Record<string, NdArray>;
  [field: string]: unknown;
}

const TYPES = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array };

interface Place {
  dtype: keyof typeof TYPES;
  shape: number[];
  at: number;
}

/** The message in these bytes: `uint32 n`, n bytes of JSON, arrays at multiples of 8. */
export function decode(bytes: ArrayBuffer): Message {
  const size = new DataView(bytes).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, size))) as Omit<
    Message,
    "arrays"
  > & { kind: string; arrays?: Record<string, Place> };
  const arrays: Record<string, NdArray> = {};
  for (const [name, { dtype, shape, at }] of Object.entries(header.arrays ?? {})) {
    const length = shape.reduce((product, n) => product * n, 1);
    arrays[name] = { data: new TYPES[dtype](bytes, 4 + size + at, length), shape };
  }
  return { ...header, arrays };
}
