// Running statistics of batch normalisation for parameters that no batch has seen, such as averaged ones.

import { noGrad, onesLike, Tensor, Variable, zerosLike } from '@bp/core'
import type { AnyModule } from '../module.ts'

/** A batch: the input, or a tuple that begins with it. */
type Batch = Tensor | readonly [x: Tensor, ...rest: unknown[]]

/** A module that keeps statistics as batch normalisation does. */
interface Normalising {
  readonly running_mean: Variable
  readonly running_var: Variable
  readonly num_batches_tracked: Variable
  readonly momentum: number | null
}

const isNormalising = (module: object): module is Normalising =>
  ['running_mean', 'running_var', 'num_batches_tracked'].every(name => Reflect.get(module, name) instanceof Variable) && 'momentum' in module

/**
 * Makes the running statistics of a model anew, as plain means over the batches of a loader: `torch.optim.swa_utils.update_bn`.
 * With averages: `await averages.use(() => updateBN(loader, model))`. Batches go through `model.forward` in training mode.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { BatchNorm1d, updateBN } from '@bp/nn'
 * const norm = new BatchNorm1d(1)
 * await updateBN([tensor([[1], [3]]), tensor([[5], [7]])], norm)
 * norm.running_mean // => tensor([4], float32)
 * ```
 */
export async function updateBN(loader: Iterable<Batch> | AsyncIterable<Batch>, model: AnyModule & { forward(x: Tensor): unknown }): Promise<void> {
  const modules = model.namedModules().map(([, module]) => module)
  const normalising = modules.flatMap(module => isNormalising(module) ? [module] : [])
  if (normalising.length === 0) return
  for (const { running_mean, running_var, num_batches_tracked } of normalising) {
    running_mean.assign(zerosLike(running_mean))
    running_var.assign(onesLike(running_var))
    num_batches_tracked.assign(zerosLike(num_batches_tracked))
  }
  const modes = modules.map(({ training }) => training)
  const momenta = normalising.map(({ momentum }) => momentum)
  model.train()
  try {
    let batches = 0
    for await (const batch of loader as AsyncIterable<Batch>) {
      batches++
      // the mean of n batches moves by 1/n towards the next
      for (const module of normalising) Object.assign(module, { momentum: 1 / batches })
      noGrad(() => model.forward(batch instanceof Tensor ? batch : batch[0]))
    }
  } finally {
    normalising.forEach((module, i) => { Object.assign(module, { momentum: momenta[i] }) })
    modules.forEach((module, i) => { module.training = modes[i]! })
  }
}
