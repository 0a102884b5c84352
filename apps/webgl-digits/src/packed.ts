// Digits as a page loads them: the 256 greys that occur, then a byte for each label, then a byte for each pixel.

import { type Images, pixelsPerImage } from '@bp/digits/data'

const greys = 256
const head = greys * Float32Array.BYTES_PER_ELEMENT

/** Packs images; {@link unpack} gives the same bits back. Throws where there are more greys than a byte can tell apart. */
export function pack({ pixels, labels }: Images): Uint8Array {
  const places = new Map<number, number>()
  const bytes = new Uint8Array(head + labels.length + pixels.length)
  bytes.set(labels, head)
  pixels.forEach((grey, i) => {
    let place = places.get(grey)
    if (place === undefined) places.set(grey, place = places.size)
    bytes[head + labels.length + i] = place
  })
  if (places.size > greys) throw new RangeError(`images of ${places.size} greys do not fit into bytes`)
  new Float32Array(bytes.buffer, 0, greys).set([...places.keys()])
  return bytes
}

/** The images in a file of {@link pack}. */
export function unpack(buffer: ArrayBuffer): Images {
  const palette = new Float32Array(buffer, 0, greys)
  const bytes = new Uint8Array(buffer, head)
  const count = bytes.length / (pixelsPerImage + 1)
  const pixels = new Float32Array(count * pixelsPerImage)
  for (let i = 0; i < pixels.length; i++) pixels[i] = palette[bytes[count + i]!]!
  return { pixels, labels: Int32Array.from(bytes.subarray(0, count)) }
}
