// Contractions on the one matrix product: dot, and convolution's three faces by unfolding windows into columns.

import { fail, isFloat, sizeOf } from '@bp/core/extend'
import type { ConvGeometry, ConvInputParams, ConvWeightParams, DotParams } from '@bp/ops/extend'
import { gemm } from './gemm.ts'
import { asBigInt, asNumbers, type CpuKernel, type CpuOperand, create, isBigInt } from './storage.ts'
import { type Windows, windowsOf } from './windows.ts'

/** The matrix product, each operand read transposed where asked. Whole numbers wrap, exactly. */
export const dot: CpuKernel<DotParams> = ([a, b], p, out) => {
  const o = create(out)
  const rank = out.shape.length
  const m = out.shape[rank - 2]!
  const n = out.shape[rank - 1]!
  const k = a!.shape[rank - (p.ta ? 2 : 1)]!
  const stacks = sizeOf(out.shape.slice(0, -2))
  if (isBigInt(out.dtype)) {
    exactDot(asBigInt(a!.storage), asBigInt(b!.storage), asBigInt(o), 0n, (sum, x, y) => sum + x * y, p, stacks, m, n, k)
    return o
  }
  if (!isFloat(out.dtype)) {
    exactDot(asNumbers(a!.storage), asNumbers(b!.storage), asNumbers(o), 0, (sum, x, y) => sum + Math.imul(x, y) | 0, p, stacks, m, n, k)
    return o
  }
  for (let s = 0; s < stacks; s++) {
    gemm(m, n, k,
      { data: asNumbers(a!.storage), start: s * m * k, row: p.ta ? 1 : k, column: p.ta ? m : 1 },
      { data: asNumbers(b!.storage), start: s * k * n, row: p.tb ? 1 : n, column: p.tb ? k : 1 },
      { data: asNumbers(o), start: s * m * n, row: n, column: 1 })
  }
  return o
}

/** The triple loop, for elements whose sums must be exact. */
function exactDot<T extends number | bigint>(a: ArrayLike<T>, b: ArrayLike<T>, o: Record<number, T>, zero: T, addProduct: (sum: T, x: T, y: T) => T, p: DotParams, stacks: number, m: number, n: number, k: number): void {
  for (let s = 0; s < stacks; s++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = zero
        for (let q = 0; q < k; q++) sum = addProduct(sum, a[s * m * k + (p.ta ? q * m + i : i * k + q)]!, b[s * k * n + (p.tb ? j * k + q : q * n + j)]!)
        o[s * m * n + i * n + j] = sum
      }
    }
  }
}

/** What the three kernels share: sizes per image and group, and the windows of one group's channels. */
interface Plan {
  readonly images: number
  readonly groups: number
  /** Channels of a group on either side. */
  readonly inputs: number
  readonly outputs: number
  readonly windows: Windows
  /** Rows of the unfolded input: channels × kernel size. */
  readonly rows: number
  /** Elements of one group's input. */
  readonly patch: number
}

function plan(images: number, channels: number, outputs: number, size: readonly number[], kernel: readonly number[], places: readonly number[], p: ConvGeometry): Plan {
  const inputs = channels / p.groups
  const windows = windowsOf(inputs, size, kernel, places, p)
  return { images, groups: p.groups, inputs, outputs: outputs / p.groups, windows, rows: inputs * sizeOf(kernel), patch: inputs * sizeOf(size) }
}

/** Calls `f` for each image and group with where its input, output and weight begin. */
function forEachGroup({ images, groups, outputs, windows, rows, patch }: Plan, f: (x: number, y: number, w: number) => void): void {
  for (let image = 0; image < images; image++) {
    for (let g = 0; g < groups; g++) f((image * groups + g) * patch, (image * groups + g) * outputs * windows.count, g * outputs * rows)
  }
}

/** x ∗ w: weights times unfolded input. */
export const conv: CpuKernel<ConvGeometry> = ([x, w], p, out) => {
  refuseBigInt('conv', x!)
  const o = asNumbers(create(out))
  const job = plan(x!.shape[0]!, x!.shape[1]!, w!.shape[0]!, x!.shape.slice(2), w!.shape.slice(2), out.shape.slice(2), p)
  const { outputs, rows, windows } = job
  forEachGroup(job, (xs, ys, ws) => {
    const columns = windows.unfold(asNumbers(x!.storage), xs)
    gemm(outputs, windows.count, rows,
      { data: asNumbers(w!.storage), start: ws, row: rows, column: 1 },
      { data: columns.data, start: columns.start, row: windows.count, column: 1 },
      { data: o, start: ys, row: windows.count, column: 1 })
  })
  return o
}

/** The transpose of conv by its input: weights transposed times y, folded back. */
export const convInput: CpuKernel<ConvInputParams> = ([y, w], p, out) => {
  refuseBigInt('convTranspose', y!)
  const o = asNumbers(create(out))
  const job = plan(y!.shape[0]!, out.shape[1]!, w!.shape[0]!, p.size, w!.shape.slice(2), y!.shape.slice(2), p)
  const { outputs, rows, windows } = job
  forEachGroup(job, (xs, ys, ws) => {
    const columns = windows.columns()
    columns.fill(0)
    gemm(rows, windows.count, outputs,
      { data: asNumbers(w!.storage), start: ws, row: 1, column: rows },
      { data: asNumbers(y!.storage), start: ys, row: windows.count, column: 1 },
      { data: columns, start: 0, row: windows.count, column: 1 })
    windows.fold(columns, o, xs)
  })
  return o
}

/** The transpose of conv by its kernel: y times unfolded input, summed over images in double precision. */
export const convWeight: CpuKernel<ConvWeightParams> = ([x, y], p, out) => {
  refuseBigInt('conv', x!)
  const o = new Float64Array(sizeOf(out.shape))
  const job = plan(x!.shape[0]!, x!.shape[1]!, y!.shape[1]!, x!.shape.slice(2), p.kernel, y!.shape.slice(2), p)
  const { outputs, rows, windows } = job
  forEachGroup(job, (xs, ys, ws) => {
    const columns = windows.unfold(asNumbers(x!.storage), xs)
    gemm(outputs, rows, windows.count,
      { data: asNumbers(y!.storage), start: ys, row: windows.count, column: 1 },
      { data: columns.data, start: columns.start, row: 1, column: windows.count },
      { data: o, start: ws, row: rows, column: 1 })
  })
  if (out.dtype === 'float64') return o
  const result = create(out)
  asNumbers(result).set(o)
  return result
}

function refuseBigInt(op: string, x: CpuOperand): void {
  if (isBigInt(x.dtype)) fail('dtype', op, "int64 has no convolution on the CPU. Convert with cast(x, 'float64')")
}
