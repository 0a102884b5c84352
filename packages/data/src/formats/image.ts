// Images: PNG and JPEG files as arrays of bytes.

import { convertIndexedToRgb, decode as decodePng, encode, hasPngSignature } from 'fast-png'
import { decode as decodeJpeg } from 'jpeg-js'
import { describe, fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'

/** Options of {@link decodeImage}. */
export interface ImageOptions {
  /** 1 for grey, 3 for RGB, 4 for RGB and opacity; what the file has unless given. */
  readonly channels?: 1 | 3 | 4
}

interface Pixels {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly data: Uint8Array
}

/**
 * Reads a PNG or JPEG file as u8[h,w,c]. Samples of 16 bits are cut to their upper 8; a palette is looked up; opacity is left out
 * where `channels` asks for less. Throws where the file is damaged (PNG: by its checksums) or of another kind.
 *
 * @example
 * ```ts
 * import { decodeImage, encodePng, ndarray } from '@bp/data'
 * const file = encodePng(ndarray(Uint8Array.of(255, 0, 0, 0, 0, 255), [1, 2, 3]))
 * decodeImage(file, { channels: 1 }).data // => 76,29
 * ```
 */
export function decodeImage(file: Uint8Array, { channels }: ImageOptions = {}): NdArray {
  const png = hasPngSignature(file)
  if (!png && !(file[0] === 0xff && file[1] === 0xd8)) fail('data', 'image', 'it begins neither as PNG nor as JPEG. Convert it to one of them')
  let pixels: Pixels
  try {
    pixels = png ? fromPng(file) : fromJpeg(file)
  } catch (error) {
    return fail('data', 'image', `the ${png ? 'PNG' : 'JPEG'} could not be read: ${(error as Error).message.replace(/:$/, '')}. The file is truncated or damaged`, { cause: error })
  }
  const { width, height, data } = channels === undefined ? pixels : withChannels(pixels, channels)
  return ndarray(data, [height, width, channels ?? pixels.channels])
}

/** Writes u8[h,w,c] as a PNG file; c is 1 for grey, 2 for grey and opacity, 3 for RGB, 4 for RGB and opacity. */
export function encodePng(image: NdArray): Uint8Array {
  const { data, shape: [height, width, channels], dtype } = image
  if (dtype !== 'uint8' || image.shape.length !== 3 || channels! < 1 || channels! > 4) fail('shape', 'encodePng', `needs u8[h,w,c] with 1 to 4 channels, got ${describe(image)}`)
  return encode({ width: width!, height: height!, channels: channels!, data: data as Uint8Array })
}

function fromPng(file: Uint8Array): Pixels {
  const image = decodePng(file, { checkCrc: true })
  const { width, height, channels, palette, depth } = image
  if (palette) return { width, height, channels: palette[0]!.length, data: convertIndexedToRgb(image) }
  if (depth === 16) return { width, height, channels, data: Uint8Array.from(image.data, value => value >>> 8) }
  const bytes = image.data as Uint8Array
  return { width, height, channels, data: depth === 8 ? bytes : unpack(bytes, width, height, depth) }
}

/** Grey of 1, 2 or 4 bits, rows beginning at whole bytes, widened to 8. */
function unpack(packed: Uint8Array, width: number, height: number, depth: number): Uint8Array {
  const most = 2 ** depth - 1
  const rowBytes = Math.ceil(width * depth / 8)
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const bit = i % width * depth
    const byte = packed[Math.floor(i / width) * rowBytes + (bit >>> 3)]!
    return (byte >>> 8 - depth - (bit & 7) & most) * (255 / most)
  })
}

function fromJpeg(file: Uint8Array): Pixels {
  // strict: what is truncated is refused, not filled up with grey
  const { width, height, data } = decodeJpeg(file, { useTArray: true, formatAsRGBA: false, tolerantDecoding: false, maxMemoryUsageInMB: 2048 })
  return { width, height, channels: 3, data }
}

function withChannels({ width, height, channels, data }: Pixels, wanted: 1 | 3 | 4): Pixels {
  if (channels === wanted) return { width, height, channels, data }
  const out = new Uint8Array(width * height * wanted)
  const opaque = channels === 2 || channels === 4
  const grey = channels < 3
  for (let i = 0; i < width * height; i++) {
    const from = i * channels
    const to = i * wanted
    const r = data[from]!, g = grey ? r : data[from + 1]!, b = grey ? r : data[from + 2]!
    if (wanted === 1) {
      out[to] = grey ? r : luma(r, g, b)
    } else {
      out[to] = r
      out[to + 1] = g
      out[to + 2] = b
      if (wanted === 4) out[to + 3] = opaque ? data[from + channels - 1]! : 255
    }
  }
  return { width, height, channels: wanted, data: out }
}

/** Luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, in 16-bit fixed point as Pillow rounds it. */
const luma = (r: number, g: number, b: number): number => r * 19595 + g * 38470 + b * 7471 + 0x8000 >>> 16
