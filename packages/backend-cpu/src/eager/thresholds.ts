// From where on WebAssembly computes in eager mode: by shapes alone, so that the same call gives the same bits every time.

/** From where on WebAssembly computes in eager mode. */
export interface Thresholds {
  /** Nanoseconds of TypeScript that make a program of one op worth making. */
  readonly nanoseconds: number
  /** Elements of an elementwise function that its program takes at a time: of few, and of many, as the nearest caches hold. */
  readonly chunks: readonly [number, number]
  /** Elements from which decompositions and pullbacks are fused. */
  readonly fused: number
}

/**
 * As measured. Making a program takes one or two milliseconds, so one of 60 microseconds pays after some thirty runs;
 * elementwise functions share one program between all shapes.
 */
export const thresholds: Thresholds = { nanoseconds: 60_000, chunks: [2048, 16384], fused: 16384 }
