// Changing the colours of images at random.

import { fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'
import { floatSizesOf } from './pixels.ts'
import type { Transform } from './transform.ts'

/** Options of {@link colorJitter}: how much each may change; a number is 1 − x to 1 + x, of hue −x to x, at most 0.5. */
export interface JitterOptions {
  readonly brightness?: number | readonly [number, number]
  readonly contrast?: number | readonly [number, number]
  readonly saturation?: number | readonly [number, number]
  readonly hue?: number | readonly [number, number]
}

type Change = (x: Float32Array, by: number, channels: number) => void

/** Luma of ITU-R BT.601, with torchvision's rounding of the factors. */
const grey = (r: number, g: number, b: number): number => 0.2989 * r + 0.587 * g + 0.114 * b

const clamp = (x: number): number => Math.min(1, Math.max(0, x))

/** x ← clamp(by · x + (1 − by) · other), where `other` repeats for each channel. */
function blend(x: Float32Array, by: number, other: Float32Array): void {
  for (let from = 0; from < x.length; from += other.length) {
    for (let i = 0; i < other.length; i++) x[from + i] = clamp(by * x[from + i]! + (1 - by) * other[i]!)
  }
}

function greys(x: Float32Array, channels: number): Float32Array {
  if (channels === 1) return x.slice()
  const size = x.length / channels
  const out = new Float32Array(size)
  for (let i = 0; i < size; i++) out[i] = grey(x[i]!, x[size + i]!, x[2 * size + i]!)
  return out
}

const changes: Readonly<Record<'brightness' | 'contrast' | 'saturation' | 'hue', Change>> = {
  brightness: (x, by, channels) => { blend(x, by, new Float32Array(x.length / channels)) },
  contrast: (x, by, channels) => {
    const all = greys(x, channels)
    blend(x, by, all.fill(all.reduce((a, b) => a + b, 0) / all.length))
  },
  saturation: (x, by, channels) => { if (channels > 1) blend(x, by, greys(x, channels)) },
  hue: (x, by, channels) => { if (channels > 1) turn(x, by) },
}

/** Moves the hue of each pixel by a part of the circle (hexcone model: Smith 1978, "Color Gamut Transform Pairs"). */
function turn(x: Float32Array, by: number): void {
  const size = x.length / 3
  for (let i = 0; i < size; i++) {
    const r = x[i]!, g = x[size + i]!, b = x[2 * size + i]!
    const value = Math.max(r, g, b)
    const chroma = value - Math.min(r, g, b)
    if (chroma === 0) continue
    const hue = 6 * by + (value === r ? (g - b) / chroma : value === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma)
    x[i] = value - chroma * ramp(5 + hue)
    x[size + i] = value - chroma * ramp(3 + hue)
    x[2 * size + i] = value - chroma * ramp(1 + hue)
  }
}

/** How much of the chroma a channel lacks, at its place on the circle of six. */
function ramp(place: number): number {
  const k = place - 6 * Math.floor(place / 6)
  return clamp(Math.min(k, 4 - k))
}

/**
 * f32[c,h,w] in [0, 1], c = 1 or 3, with other brightness, contrast, saturation and hue, in random order (torchvision's
 * `ColorJitter`); grey images have no saturation and hue.
 *
 * @example
 * ```ts
 * import { colorJitter, ndarray, RandomStream } from '@bp/data'
 * colorJitter({ brightness: [2, 2] })(ndarray([0.25, 0.75], [1, 1, 2]), new RandomStream(0)).data // => 0.5,1
 * ```
 */
export function colorJitter(options: JitterOptions): Transform<NdArray> {
  const names = (Object.keys(changes) as (keyof JitterOptions)[]).filter(name => options[name] !== undefined)
  const ranges = names.map((name): readonly [number, number] => {
    const range = options[name]!
    const [low, high] = typeof range !== 'number' ? range : name === 'hue' ? [-range, range] : [Math.max(0, 1 - range), 1 + range]
    if (!(low <= high && (name === 'hue' ? low >= -0.5 && high <= 0.5 : low >= 0))) fail('value', 'colorJitter', `${name} from ${low} to ${high}; it must be ${name === 'hue' ? 'between −0.5 and 0.5' : 'at least 0'}`)
    return [low, high]
  })
  return (x, random) => {
    const [channels] = floatSizesOf('colorJitter', x)
    if (channels !== 1 && channels !== 3) fail('shape', 'colorJitter', `needs an image of 1 or 3 channels, got ${channels}`)
    const data = Float32Array.from(x.data as Float32Array)
    for (const k of random.permutation(names.length)) changes[names[k]!](data, random.uniform(...ranges[k]!), channels)
    return ndarray(data, x.shape)
  }
}
