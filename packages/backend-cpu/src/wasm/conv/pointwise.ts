// Convolutions with windows of one element: products of matrices, which no padded copy is made for.

import type { Emit } from '../../program/emit.ts'
import type { Task } from '../../program/task.ts'
import { gemm } from '../gemm/gemm.ts'
import type { GemmJob, StackAxis } from '../gemm/job.ts'
import type { ConvAt } from './conv.ts'
import { type ConvJob, volume } from './geometry.ts'

/** Whether each place of the result sees one place of the input, the same. */
export const isPointwise = ({ kernel, stride, low, size, places }: ConvJob): boolean =>
  volume(kernel) === 1 && stride.every(s => s === 1) && low.every(n => n === 0) && size.every((n, i) => n === places[i])

/** Whether that is one place alone: then images are the rows of one product. */
export const isOnePlace = (job: ConvJob): boolean => isPointwise(job) && job.groups === 1 && volume(job.places) === 1

/** What all three faces have in common. */
const common = ({ name, bits, reads, writes, epilogue }: ConvAt): Pick<GemmJob, 'name' | 'bits' | 'reads' | 'writes' | 'epilogue'> => ({ name, bits, reads, writes, epilogue })

/** Images and groups, whose operands lie so far apart in an image, and in a group's weights. */
const stackOf = ({ images, groups, inputs, outputs, size }: ConvJob, fromChannels: number, toChannels: number): StackAxis[] => {
  const plane = volume(size)
  return [
    { size: images, a: 0, b: groups * fromChannels * plane, c: groups * toChannels * plane },
    { size: groups, a: inputs * outputs, b: fromChannels * plane, c: toChannels * plane },
  ]
}

/** Where packed weights are kept from run to run. */
const kept = (emit: Emit, { steady, job: { inputs, outputs } }: ConvAt, way: 'forward' | 'back'): GemmJob['keepsA'] =>
  steady === null ? undefined : emit.keeps(`${way} ${steady} ${inputs} ${outputs}`, true)

/** Y = W·X for each image and group, places along the rows; Y = X·Wᵀ for all images at once where there is one place. */
export function pointwise(emit: Emit, at: ConvAt): Task[] {
  const { job, x, w, y } = at
  const { images, inputs, outputs, places } = job
  const plane = volume(places)
  if (isOnePlace(job)) {
    return gemm(emit, { ...common(at), m: images, n: outputs, k: inputs, a: { address: x, row: inputs, column: 1 }, b: { address: w, row: 1, column: inputs }, c: { address: y, row: outputs }, stack: [] })
  }
  return gemm(emit, {
    ...common(at), m: outputs, n: plane, k: inputs, a: { address: w, row: inputs, column: 1 }, b: { address: x, row: plane, column: 1 }, c: { address: y, row: plane },
    stack: stackOf(job, inputs, outputs), keepsA: kept(emit, at, 'forward'),
  })
}

/** X = Wᵀ·Y, in the same way. */
export function pointwiseInput(emit: Emit, at: ConvAt): Task[] {
  const { job, x, w, y } = at
  const { images, inputs, outputs, places } = job
  const plane = volume(places)
  if (isOnePlace(job)) {
    return gemm(emit, { ...common(at), m: images, n: inputs, k: outputs, a: { address: y, row: outputs, column: 1 }, b: { address: w, row: inputs, column: 1 }, c: { address: x, row: inputs }, stack: [] })
  }
  return gemm(emit, {
    ...common(at), m: inputs, n: plane, k: outputs, a: { address: w, row: 1, column: inputs }, b: { address: y, row: plane, column: 1 }, c: { address: x, row: plane },
    stack: stackOf(job, outputs, inputs), keepsA: kept(emit, at, 'back'),
  })
}
