// Judging a model on data: mean loss and metrics, without learning.

import { type CompileOptions, decodeFloat16, noGrad, type Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { AnyModule } from '@bp/nn'
import { batchesOf, type Data, noBatches } from './batches.ts'
import type { Metric } from './metrics/metric.ts'
import { type ForwardOptions, forwardOf, type Outcome, samplesIn } from './outcome.ts'
import { compiled, withoutGraph } from './step.ts'

/** Metrics by name. Those that give a number are logged. */
export type Metrics = Readonly<Record<string, Metric>>

/** Numbers by name: `loss`, and each metric. */
export type Logs = Readonly<Record<string, number>>

/** Options of {@link evaluate}. */
export interface EvaluateOptions<M, B> extends ForwardOptions<M, B> {
  readonly metrics?: Metrics
  readonly compile?: boolean | CompileOptions
  readonly samples?: (batch: B) => number
}

/**
 * The mean loss over all samples, and the metrics, in evaluation mode; modules are left in the mode they were in. Metrics are
 * reset first, and hold their values afterwards.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { crossEntropy, Linear } from '@bp/nn'
 * import { Accuracy, evaluate } from '@bp/train'
 * const model = new Linear(2, 2)
 * model.loadStateDict(new Map([['weight', tensor([[1, 0], [0, 1]])], ['bias', tensor([0, 0])]]))
 * const data = [[tensor([[3, 1], [1, 3], [2, 0]]), tensor([0, 1, 1], { dtype: 'int32' })]]
 * const { accuracy } = await evaluate(model, data, { loss: crossEntropy, metrics: { accuracy: new Accuracy() } })
 * accuracy // => ≈ 0.667
 * ```
 */
export const evaluate = <M extends AnyModule, B>(model: M, data: Data<B>, options: EvaluateOptions<M, B>): Promise<Logs> => evaluator(model, options)(data)

/** The same as a function of the data, which compiles once for many calls. */
export function evaluator<M extends AnyModule, B>(model: M, options: EvaluateOptions<M, B>): (data: Data<B>) => Promise<Logs> {
  const { metrics = {}, samples = samplesIn } = options
  const forward = forwardOf('evaluate', model, options)
  const judge = (batch: B): Outcome => noGrad(() => withoutGraph(forward(batch)))
  const run = options.compile ? compiled(judge, options.compile) : judge
  return async data => {
    const modes = model.namedModules().map(([, module]) => ({ module, training: module.training }))
    for (const metric of Object.values(metrics)) metric.reset()
    let [sum, count] = [0, 0]
    const batches = batchesOf(data, 0)
    model.eval()
    try {
      for (;;) {
        const next = batches.next()
        const { done, value } = next instanceof Promise ? await next : next
        if (done) break
        const outcome = run(value)
        const size = samples(value)
        sum += size * await numberOf(outcome.loss)
        count += size
        updateMetrics(metrics, outcome)
      }
    } finally {
      await batches.close()
      for (const { module, training } of modes) module.training = training
    }
    if (count === 0) return noBatches('evaluate')
    return { loss: sum / count, ...computeMetrics(metrics) }
  }
}

/** The value of a scalar, without waiting where the backend reads at once. */
export const numberOf = (x: Tensor): number | Promise<number> => x.backend.readSync ? x.item() : x.data().then(data => Number(data instanceof Uint16Array ? decodeFloat16(data)[0] : data[0]))

/** Shows an outcome to all metrics. */
export function updateMetrics(metrics: Metrics, { prediction, target }: Outcome): void {
  for (const [name, metric] of Object.entries(metrics)) {
    if (!prediction || !target) fail('value', name, 'there is no prediction to judge. Let step give { loss, prediction, target }')
    metric.update(prediction, target)
  }
}

/** The metrics that are numbers. */
export const computeMetrics = (metrics: Metrics): Logs =>
  Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, metric.compute()] as const).filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
