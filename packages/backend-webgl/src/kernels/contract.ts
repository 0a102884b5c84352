// Contractions: tiled passes for floats, element by element what has none.

import { type Aval, type Kernel, type Operand, sizeOf } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import { mostTurns } from '../device/gpu.ts'
import { encodingOf, type Value } from '../device/storage.ts'
import { tiledConv, tiledConvInput } from './contract/conv.ts'
import { tiledConvWeight } from './contract/convWeight.ts'
import { tiledDot } from './contract/dot.ts'
import { byElements } from './contract/element.ts'

/** Multiply-adds below which one pass by elements takes less time than the launches of several. */
const few = 1000

/** The longest row of taps that is written out in a pass. */
const mostTaps = 16

/** Whether the tiled passes compute it: floats, nothing empty, and enough to do. */
const worth = (xs: readonly Operand<Value>[], out: Aval, multiplyAdds: number): boolean =>
  encodingOf(out.dtype) === 'float' && multiplyAdds >= few && xs.every(x => x.storage.length > 0) && !out.shape.includes(0)

/** The kernels of this file. */
export function contractions(device: Device): ReturnType<typeof byElements> {
  const [generic, dot, conv, convInput, convWeight] = [byElements(device), tiledDot(device), tiledConv(device), tiledConvInput(device), tiledConvWeight(device)]
  /** Whether it is, and no loop is too long; `y` is the operand or result whose every element meets the weights of its channel. */
  const tapsFit = (w: readonly number[], y: readonly number[], xs: readonly Operand<Value>[], out: Aval): boolean =>
    w.at(-1)! <= mostTaps && Math.max(y.at(-1)!, Math.max(w[0]!, w[1]!) * sizeOf(w.slice(2, -1))) <= mostTurns && worth(xs, out, sizeOf(y) * sizeOf(w.slice(1)))
  return {
    dot: ((xs, p, out) => (worth(xs, out, xs[0]!.storage.length * out.shape.at(-1)!) ? dot : generic.dot)(xs, p, out)) satisfies Kernel<Value, DotParams>,
    conv: ((xs, p, out) => (tapsFit(xs[1]!.shape, out.shape, xs, out) ? conv : generic.conv)(xs, p, out)) satisfies Kernel<Value, ConvGeometry>,
    convInput: ((xs, p, out) => (tapsFit(xs[1]!.shape, xs[0]!.shape, xs, out) ? convInput : generic.convInput)(xs, p, out)) satisfies Kernel<Value, ConvInputParams>,
    convWeight: ((xs, p, out) => (tapsFit(out.shape, xs[1]!.shape, xs, out) ? convWeight : generic.convWeight)(xs, p, out)) satisfies Kernel<Value, ConvWeightParams>,
  }
}
