// The table of all composites, by name: what a backend may override with a fused kernel.

import { eluRow, geluRow, hardSigmoidRow, hardSwishRow, leakyReluRow, mishRow, siluRow, softplusRow } from './composites/activations.ts'
import { splitRow } from './composites/arrange.ts'
import { attentionRow } from './composites/attention.ts'
import { gridSampleRow } from './composites/gridSample.ts'
import { interpolateRow } from './composites/interpolate.ts'
import { binaryCrossEntropyRow } from './composites/losses/binary.ts'
import { rmsNormRow } from './composites/normalise.ts'
import { marginRow } from './composites/pad.ts'
import { avgPoolRow, maxPoolRow } from './composites/pooling.ts'
import { gruLayerRow, gruResetFirstLayerRow, lstmLayerRow, rnnLayerRow } from './composites/recurrence.ts'
import { gruStepRow, lstmStepRow } from './composites/recurrentSteps.ts'
import { logSoftmaxRow, logSumExpRow, softmaxCrossEntropyRow, softmaxRow } from './composites/softmax.ts'
import { unbindRow } from './composites/stacking.ts'
import { standardiseRow } from './composites/statistics.ts'

/** Every composite under its own name. */
export const composites = {
  softmax: softmaxRow, logSoftmax: logSoftmaxRow, logSumExp: logSumExpRow, softmaxCrossEntropy: softmaxCrossEntropyRow, binaryCrossEntropy: binaryCrossEntropyRow,
  standardise: standardiseRow, rmsNorm: rmsNormRow, attention: attentionRow,
  gelu: geluRow, silu: siluRow, softplus: softplusRow, elu: eluRow, leakyRelu: leakyReluRow, mish: mishRow, hardSigmoid: hardSigmoidRow, hardSwish: hardSwishRow,
  maxPool: maxPoolRow, avgPool: avgPoolRow, interpolate: interpolateRow, gridSample: gridSampleRow, margin: marginRow,
  split: splitRow, unbind: unbindRow,
  lstmStep: lstmStepRow, gruStep: gruStepRow, rnnLayer: rnnLayerRow, lstmLayer: lstmLayerRow, gruLayer: gruLayerRow, gruResetFirstLayer: gruResetFirstLayerRow,
}

/** The type of {@link composites}. */
export type Composites = typeof composites

/** The name of a composite. */
export type CompositeName = keyof Composites
