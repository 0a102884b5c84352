// What types say of a run: a batch's type comes from the data, states are checked, and options that mean nothing do not compile.

import type { Tensor } from '@bp/core'
import { crossEntropy, Linear, SGD } from '@bp/nn'
import { type Callback, fit, type Metric, trainStep } from './index.ts'

declare const pairs: readonly (readonly [Tensor, Tensor])[]
declare const records: AsyncIterable<{ readonly image: Tensor; readonly label: Tensor }>
declare const metric: Metric<number>
const model = new Linear(2, 2)
const optimiser = new SGD(model.parameters())

void fit(model, { data: pairs, loss: crossEntropy, optimiser, epochs: 1, metrics: { metric } })
void fit(model, { data: records, optimiser, epochs: 1, step: (layer, { image, label }) => crossEntropy(layer.forward(image), label) })
void fit(model, { data: pass => pass % 2 === 0 ? pairs : pairs.slice(1), optimiser, epochs: 1, step: (layer, [x, y]) => ({ loss: crossEntropy(layer.forward(x), y), target: y }) })
// @ts-expect-error -- a step gives a tensor
void fit(model, { data: pairs, optimiser, epochs: 1, step: () => 1 })
// @ts-expect-error -- an optimiser is needed
void fit(model, { data: pairs, loss: crossEntropy, epochs: 1 })

const step = trainStep(model, { optimiser, step: (layer, batch: { readonly x: Tensor }) => layer.forward(batch.x) })
declare const batch: { readonly x: Tensor }
step(batch, batch).gradNorm?.item()
// @ts-expect-error -- another kind of batch
step([batch])

export const callback: Callback = { onEpochEnd: run => { run.stop(String(run.logs.loss)) } }
// @ts-expect-error -- what a run tells is not to be changed
export const meddler: Callback = { onEpochEnd: run => { run.step = 0 } }
