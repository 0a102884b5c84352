// Elementwise kernels: every op of the scalar table over whole arrays with broadcasting, the common ones in loops of their own.

import { broadcastStrides, collapse, convert, fail, sameShape } from '@bp/core/extend'
import type { DType } from '@bp/core'
import type { Aval } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import { erf } from './erf.ts'
import { bigint, integer, logistic, scalar } from './scalar.ts'
import { asNumbers, type CpuKernel, type CpuOperand, type CpuStorage, create, isBigInt } from './storage.ts'
import { forEachRow } from './strided.ts'

/* A row function computes n neighbouring results; an operand's step is 1, or 0 where it is broadcast. One closure a loop
   would be called through one megamorphic site, several times slower than a loop of its own: hence `hot`. */
type Row1 = (o: Float64Array, oo: number, a: Float64Array, ao: number, as: number, n: number) => void
type Row2 = (o: Float64Array, oo: number, a: Float64Array, ao: number, as: number, b: Float64Array, bo: number, bs: number, n: number) => void
type Row3 = (o: Float64Array, oo: number, a: Float64Array, ao: number, as: number, b: Float64Array, bo: number, bs: number, c: Float64Array, co: number, cs: number, n: number) => void

type F1 = (a: number) => number | boolean
type F2 = (a: number, b: number) => number | boolean

const row1 = (f: F1): Row1 => (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = f(a[ao + i * as]!) as number }
const row2 = (f: F2): Row2 => (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = f(a[ao + i * as]!, b[bo + i * bs]!) as number }

const hot1 = {
  neg: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = -a[ao + i * as]! },
  relu: (o, oo, a, ao, as, n) => {
    for (let i = 0; i < n; i++) {
      const x = a[ao + i * as]!
      o[oo + i] = x < 0 ? 0 : x
    }
  },
  abs: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.abs(a[ao + i * as]!) },
  floor: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.floor(a[ao + i * as]!) },
  exp: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.exp(a[ao + i * as]!) },
  log: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.log(a[ao + i * as]!) },
  sqrt: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.sqrt(a[ao + i * as]!) },
  tanh: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.tanh(a[ao + i * as]!) },
  sigmoid: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = logistic(a[ao + i * as]!) },
  cast: (o, oo, a, ao, as, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as]! },
} satisfies Partial<Record<MapName, Row1>>

const hot2 = {
  add: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as]! + b[bo + i * bs]! },
  sub: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as]! - b[bo + i * bs]! },
  mul: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as]! * b[bo + i * bs]! },
  div: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as]! / b[bo + i * bs]! },
  maximum: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.max(a[ao + i * as]!, b[bo + i * bs]!) },
  minimum: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = Math.min(a[ao + i * as]!, b[bo + i * bs]!) },
  less: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as]! < b[bo + i * bs]! ? 1 : 0 },
  equal: (o, oo, a, ao, as, b, bo, bs, n) => { for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as] === b[bo + i * bs] ? 1 : 0 },
} satisfies Partial<Record<MapName, Row2>>

const select: Row3 = (o, oo, a, ao, as, b, bo, bs, c, co, cs, n) => {
  for (let i = 0; i < n; i++) o[oo + i] = a[ao + i * as] !== 0 ? b[bo + i * bs]! : c[co + i * cs]!
}

function unary(float: Row1, int: Row1 = float, big?: Row1, name = ''): CpuKernel<unknown> {
  return ([x], _p, out) => {
    const o = create(out)
    const row = pick(x!.dtype, float, int, big, name)
    row(asNumbers(o), 0, asNumbers(x!.storage), 0, 1, o.length)
    return o
  }
}

function binary(float: Row2, int: Row2 = float, big?: Row2, name = ''): CpuKernel<unknown> {
  return ([a, b], _p, out) => {
    const o = create(out)
    const row = pick(a!.dtype, float, int, big, name)
    const dense = steps(a!, b!, out)
    if (dense === 0) row(asNumbers(o), 0, asNumbers(a!.storage), 0, 1, asNumbers(b!.storage), 0, 1, o.length)
    else if (dense === 1) row(asNumbers(o), 0, asNumbers(a!.storage), 0, 0, asNumbers(b!.storage), 0, 1, o.length)
    else if (dense === 2) row(asNumbers(o), 0, asNumbers(a!.storage), 0, 1, asNumbers(b!.storage), 0, 0, o.length)
    else broadcast(row, a!, b!, out, o)
    return o
  }
}

/** 0 where both operands have the result's shape, 1 or 2 where the first or second is one number, else 3. */
function steps(a: CpuOperand, b: CpuOperand, out: Aval): number {
  const fullA = a.aval === out || sameShape(a.shape, out.shape)
  const fullB = b.aval === out || sameShape(b.shape, out.shape)
  if (fullA && fullB) return 0
  if (fullB && a.storage.length === 1) return 1
  return fullA && b.storage.length === 1 ? 2 : 3
}

function broadcast(row: Row2, a: CpuOperand, b: CpuOperand, out: Aval, o: CpuStorage): void {
  const nest = collapse(out.shape, [broadcastStrides(a.shape, out.shape), broadcastStrides(b.shape, out.shape)])
  const n = nest.sizes.at(-1)!
  const as = nest.strides[0]!.at(-1)!
  const bs = nest.strides[1]!.at(-1)!
  forEachRow(nest, (r, offsets) => { row(asNumbers(o), r * n, asNumbers(a.storage), offsets[0]!, as, asNumbers(b.storage), offsets[1]!, bs, n) })
}

const ternary = (row: Row3): CpuKernel<unknown> => (xs, _p, out) => {
  const o = create(out)
  const nest = collapse(out.shape, xs.map(x => broadcastStrides(x.shape, out.shape)))
  const n = nest.sizes.at(-1)!
  const [as, bs, cs] = nest.strides.map(strides => strides.at(-1)!) as [number, number, number]
  const [a, b, c] = xs.map(x => asNumbers(x.storage)) as [Float64Array, Float64Array, Float64Array]
  forEachRow(nest, (r, offsets) => { row(asNumbers(o), r * n, a, offsets[0]!, as, b, offsets[1]!, bs, c, offsets[2]!, cs, n) })
  return o
}

function pick<R>(dtype: DType, float: R, int: R, big: R | undefined, name: string): R {
  if (isBigInt(dtype)) return big ?? fail('dtype', name, "int64 has no such op on the CPU. Convert with cast(x, 'int32') or cast(x, 'float64')")
  return dtype === 'float32' || dtype === 'float64' ? float : int
}

const cast: CpuKernel<{ readonly dtype: DType }> = (xs, p, out) => {
  const x = xs[0]!
  if (p.dtype === 'bool' || isBigInt(p.dtype) || isBigInt(x.dtype)) return convert(x.storage, p.dtype)
  const o = create(out)
  hot1.cast(asNumbers(o), 0, asNumbers(x.storage), 0, 1, o.length)
  return o
}

const int2: Partial<Record<MapName, F2>> = integer
const big1: Partial<Record<MapName, unknown>> = bigint

const map1 = (name: Exclude<MapName, 'erf'>): CpuKernel<unknown> =>
  unary((hot1 as Partial<Record<MapName, Row1>>)[name] ?? row1(scalar[name] as F1), undefined, big1[name] ? row1(big1[name] as F1) : undefined, name)
const map2 = (name: Exclude<MapName, 'erf'>): CpuKernel<unknown> =>
  binary((hot2 as Partial<Record<MapName, Row2>>)[name] ?? row2(scalar[name] as F2), int2[name] ? row2(int2[name]) : undefined, big1[name] ? row2(big1[name] as F2) : undefined, name)

/** The kernels of all map ops but erf. */
export const maps = {
  add: map2('add'), mul: map2('mul'), neg: map1('neg'), sub: map2('sub'), div: map2('div'), pow: map2('pow'),
  maximum: map2('maximum'), minimum: map2('minimum'), abs: map1('abs'), sign: map1('sign'), floor: map1('floor'), round: map1('round'),
  exp: map1('exp'), log: map1('log'), expm1: map1('expm1'), log1p: map1('log1p'), sqrt: map1('sqrt'), tanh: map1('tanh'),
  sigmoid: map1('sigmoid'), relu: map1('relu'),
  sin: map1('sin'), cos: map1('cos'), tan: map1('tan'), asin: map1('asin'), acos: map1('acos'), atan: map1('atan'),
  equal: map2('equal'), less: map2('less'), lessEqual: map2('lessEqual'),
  logicalNot: map1('logicalNot'), logicalAnd: map2('logicalAnd'), logicalOr: map2('logicalOr'),
  select: ternary(select), cast,
} satisfies Record<Exclude<MapName, 'erf'>, CpuKernel<never>>

/** The kernel of the error function, whose series is long. */
export const erfMap = { erf: /* @__PURE__ */ unary(/* @__PURE__ */ row1(erf), undefined, undefined, 'erf') }
