// How n elements lie in a texture: four to a texel, row-major, in a rectangle whose width is a power of two.

/** A texture's rectangle, and what addresses a texel in it: texel t stands at (t & mask, t >> shift). */
export interface Layout {
  readonly width: number
  readonly height: number
  readonly shift: number
}

/* Renderers share out work by blocks of pixels, of 64 × 64 where there are few threads: so few texels lie in a strip of four rows, which
   has many blocks, and is as high as the smallest groups of pixels that are computed together. */
const rows = 4, widest = 11

/** The rectangle of so many texels; `null` where none is large enough. */
export function layoutOf(texels: number, largestSide: number): Layout | null {
  const most = Math.floor(Math.log2(largestSide))
  const strip = Math.ceil(Math.log2(Math.max(1, texels / rows)))
  const needed = Math.ceil(Math.log2(Math.max(1, texels / largestSide)))
  const shift = Math.min(most, Math.max(Math.min(strip, widest), needed))
  const width = 2 ** shift
  const height = Math.max(1, Math.ceil(texels / width))
  return height > largestSide ? null : { width, height, shift }
}

/** Texels of n elements. */
export const texelsOf = (elements: number): number => Math.ceil(elements / 4)
