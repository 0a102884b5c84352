// Bitwise operators on whole numbers of any type, and shifts of their bits.

import { broadcastTo, type Tensor } from '@bp/core'
import { allocate, Aval, bind, broadcastShapes, defineOp, describe, fail, isFloat } from '@bp/core/extend'
import { neg, sub } from '@bp/ops'
import { elementTypeOf, toTensor } from '../import/value.ts'
import { only, onTensors, onValues, type Operator, type Operators } from './operator.ts'

/** What is done with two bit patterns; `right` keeps the sign, `rightUnsigned` fills with zeros. */
export type BitFunction = 'and' | 'or' | 'xor' | 'left' | 'right' | 'rightUnsigned'

/* A negative number of places, and one that is no less than there are bits, leaves nothing, or the sign alone. */
const short: Readonly<Record<BitFunction, (a: number, b: number) => number>> = {
  and: (a, b) => a & b, or: (a, b) => a | b, xor: (a, b) => a ^ b,
  left: (a, b) => b < 0 || b > 31 ? 0 : a << b, right: (a, b) => a >> (b < 0 || b > 31 ? 31 : b), rightUnsigned: (a, b) => b < 0 || b > 31 ? 0 : a >>> b,
}

const long: Readonly<Record<BitFunction, (a: bigint, b: bigint) => bigint>> = {
  and: (a, b) => a & b, or: (a, b) => a | b, xor: (a, b) => a ^ b,
  left: (a, b) => b < 0n || b > 63n ? 0n : a << b, right: (a, b) => a >> (b < 0n || b > 63n ? 63n : b),
  rightUnsigned: (a, b) => b < 0n || b > 63n ? 0n : BigInt.asUintN(64, a) >> b,
}

/** y = f(a, b) on the bits of whole numbers of one shape and dtype; it has no derivative. */
const bitsRow = /* @__PURE__ */ defineOp({
  name: 'onnx/bits', arity: 2, fuse: 'opaque',
  infer: ([a, b], _p: { readonly f: BitFunction }) => {
    if (a.dtype !== b.dtype || isFloat(a.dtype)) fail('dtype', 'bits', `needs whole numbers of one type, got ${describe(a)} and ${describe(b)}`)
    return new Aval(a.shape, a.dtype)
  },
  diff: { kind: 'zero' },
  host: ([a, b], { f }, [out]) => {
    const y = allocate(out!.dtype, a.data.length)
    if (y instanceof BigInt64Array) for (let i = 0; i < y.length; i++) y[i] = long[f](a.data[i] as bigint, b.data[i] as bigint)
    else for (let i = 0; i < y.length; i++) y[i] = short[f](a.data[i] as number, b.data[i] as number)
    return y
  },
})

function bits(operator: string, f: BitFunction, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(operator, a.shape, b.shape)
  return bind(bitsRow, [broadcastTo(a, shape), broadcastTo(b, shape)], { f })
}

const pairwise = (f: BitFunction): Operator => onTensors(2, ([a, b], _attributes, node) => bits(node.operator, f, a!, b!))

/** Signed types keep their sign when they are shifted to the right; what is shifted out to the left is lost. */
const shift: Operator = onValues(2, ([a, b], attributes, node) => {
  const direction = attributes.string('direction', '')
  only(node, 'direction', direction, 'LEFT', 'RIGHT')
  const right = elementTypeOf(a!).startsWith('u') ? 'rightUnsigned' : 'right'
  return bits(node.operator, direction === 'LEFT' ? 'left' : right, toTensor(a!), toTensor(b!))
})

/** −1 − x, of unsigned types the largest number less x: what wraps at the end of the type is its runner's to settle. */
const complement: Operator = onTensors(1, ([x]) => x!.dtype === 'uint8' ? sub(255, x!) : sub(neg(x!), 1))

/** Bitwise operators by name. */
export const bitwise: Operators = { BitwiseAnd: pairwise('and'), BitwiseOr: pairwise('or'), BitwiseXor: pairwise('xor'), BitwiseNot: complement, BitShift: shift }
