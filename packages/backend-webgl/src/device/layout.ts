// How n elements lie in a texture: four to a texel, row-major, in a rectangle whose width is a power of two.

/** A texture's rectangle, and what addresses a texel in it: texel t stands at (t & mask, t >> shift). */
export interface Layout {
  readonly width: number
  readonly height: number
  readonly shift: number
}

/** The rectangle of so many texels: about a square, so that neighbours share blocks of pixels; `null` where none is large enough. */
export function layoutOf(texels: number, largestSide: number): Layout | null {
  const widest = Math.floor(Math.log2(largestSide))
  const shift = Math.min(widest, Math.max(0, Math.ceil(Math.log2(Math.max(1, texels)) / 2)))
  const width = 2 ** shift
  const height = Math.max(1, Math.ceil(texels / width))
  return height > largestSide ? null : { width, height, shift }
}

/** Texels of n elements. */
export const texelsOf = (elements: number): number => Math.ceil(elements / 4)
