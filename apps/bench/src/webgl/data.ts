// The jobs of the WebGL backend, and what they work on.

import { type Inputs, inputs, uniform } from '../data.ts'

/** Elements of the elementwise jobs. */
const elements = 1_000_000

const many = (scale: number) => (): Inputs => ({ x: uniform([elements], scale, 1) })

/** The inputs of each job; those that are not here are the same as on the CPU. */
const own: Readonly<Record<string, () => Inputs>> = {
  'conv-3x3': () => ({ x: uniform([4, 32, 56, 56], 1, 1), w: uniform([64, 32, 3, 3], 0.06, 2) }),
  'add': () => ({ a: uniform([elements], 1, 1), b: uniform([elements], 1, 2) }),
  'relu': many(1), 'exp': many(5), 'gelu': many(5), 'sum': many(1),
  'softmax': () => ({ x: uniform([512, 1024], 5, 1) }),
  'launch': inputs.overhead!,
}

/** All jobs, in the order in which they run. */
export const webglJobs: readonly string[] = ['mlp', 'cnn', 'launch', 'gemm-256', 'gemm-512', 'gemm-1024', 'conv-3x3', 'add', 'relu', 'exp', 'gelu', 'sum', 'softmax']

/** The inputs of a job. */
export const inputsOf = (job: string): Inputs => (own[job] ?? inputs[job])!()
