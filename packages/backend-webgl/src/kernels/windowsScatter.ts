// The way back of max pooling: each element asks the windows that cover it whether it was their largest.

import type { Shape } from '@bp/core'
import { type Aval, stridesOf } from '@bp/core/extend'
import type { PoolGeometry } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { decode, encode, lanesOf } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'

/** What is known of the places that poolArgMax found: each lies in its own window. */
export class PoolSource {
  readonly geometry: PoolGeometry
  /** The shape of what was pooled. */
  readonly shape: Shape
  /** The shape of the places. */
  readonly pooled: Shape

  constructor(geometry: PoolGeometry, shape: Shape, pooled: Shape) {
    this.geometry = geometry
    this.shape = shape
    this.pooled = pooled
  }
}

/** Of which pooling an index is the result; `null` where of none. */
export const poolSource = ({ known }: Value): PoolSource | null => known instanceof PoolSource ? known : null

/** Values added at the places of a pooling. */
export function scatterPooled(device: Device, x: Value, index: Value, { geometry: g, shape, pooled }: PoolSource, out: Aval): Value {
  const value = device.empty(out)
  const rank = g.kernel.length
  const steps = stridesOf(pooled)
  const shift = g.stride.map(stride => Math.log2(stride))
  const shifts = shift.map(bits => Number.isInteger(bits))
  // whether the four lanes differ in the last coordinate only
  const together = shape.at(-1)! % 4 === 0
  // of each axis: size, places, reach of a window, stride or its logarithm, low padding, stride among the places, most windows over an element
  const numbers = g.kernel.flatMap((kernel, i) => {
    const reach = (kernel - 1) * g.dilation[i]!
    return [shape[i + 2]!, pooled[i + 2]!, reach, shifts[i]! ? shift[i]! : g.stride[i]!, g.padding[i]![0], steps[i + 2]!, Math.floor(reach / g.stride[i]!) + 1]
  })
  const of = (axis: number, field: number): string => `p[${2 + 7 * axis + field}]`
  const axes = g.kernel.map((_, i) => i)
  const divided = (axis: number, c: string): string => shifts[axis]! ? `((${c}) >> ${of(axis, 3)})` : `ivec4(quotient((${c}).x, ${of(axis, 3)}), quotient((${c}).y, ${of(axis, 3)}), quotient((${c}).z, ${of(axis, 3)}), quotient((${c}).w, ${of(axis, 3)}))`
  const four = (e: string, d: string): string => `ivec4(quotient(${e}.x, ${d}), quotient(${e}.y, ${d}), quotient(${e}.z, ${d}), quotient(${e}.w, ${d}))`
  const coordinates = axes.toReversed().map(i => {
    const above = together ? `ivec4(quotient(e.x, ${of(i, 0)}))` : four('e', of(i, 0))
    return `ivec4 c${i}; { ivec4 o = ${above}; c${i} = e - o * ${of(i, 0)} + ${of(i, 4)}; e = o; }`
  })
  // the last window that reaches over each element; those before it follow
  const lasts = axes.map(i => `ivec4 l${i} = ${divided(i, `c${i}`)};`)
  const loops = axes.map((i, n) => `for (int w${i} = 0; w${i} < ${of(i, 6)}; w${i}++) {
    ivec4 o${i} = l${i} - w${i};
    ivec4 in${i} = ${n === 0 ? '' : `in${n - 1} & `}ivec4(greaterThanEqual(o${i}, ivec4(0))) & ivec4(lessThan(o${i}, ivec4(${of(i, 1)})));`)
  const within = `in${rank - 1}`
  const type = lanesOf(out.dtype)
  device.compute(`scatterAdd pooled ${out.dtype} ${together} ${shifts.join()}`, () => ({
    inputs: 2, outputs: 1, ints: 2 + 7 * rank, floats: 0,
    code: withHelpers(`vec4 compute() {
  ivec4 own = ivec4(texel() * 4) + ivec4(0, 1, 2, 3), e = own;
  ${[...coordinates, ...lasts].join('\n  ')}
  ${type} y = ${type}(0);
  ${loops.join('\n  ')}
  ivec4 at = ${within} * (e * p[1]${axes.map(i => ` + o${i} * ${of(i, 5)}`).join('')});
  ivec4 place = floatBitsToInt(vec4(elem1(at.x), elem1(at.y), elem1(at.z), elem1(at.w)));
  bvec4 mine = equal(place * ${within} + (1 - ${within}) * -1, own);
  y += pick(mine, ${decode('vec4(elem0(at.x), elem0(at.y), elem0(at.z), elem0(at.w))', out.dtype)}, ${type}(0));
  ${axes.map(() => '}').join(' ')}
  return ${encode('y', out.dtype)};
}`),
  }), [value], [x, index], [steps[1]!, ...numbers])
  return value
}
