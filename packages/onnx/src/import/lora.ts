// Low-rank adaptation of imported models: small matrices beside frozen weights, by the names of the weights.

import { noGrad } from '@bp/core'
import { describe, fail } from '@bp/core/extend'
import { type LoRAOptions, lowRankUpdate, type Parameter, withUpdate } from '@bp/nn'
import { detach } from '@bp/ops'
import { OnnxModule } from './module.ts'

/** Which parameters {@link addOnnxLoRA} adapts. */
export type OnnxLoRATargets = (name: string, weight: Parameter) => boolean

/**
 * Freezes an imported model and gives chosen weights a learned update of low rank: W + α/r · B·A (Hu et al. 2021, "LoRA: Low-Rank
 * Adaptation of Large Language Models"), as `addLoRA` of @bp/nn does to modules. Of a weight W of two axes A is r × columns and B
 * rows × r; of a convolution the axes after the first are taken as one, of a recurrent layer those before the last. The model
 * computes at first what it did before. Chosen are the matrices that MatMul and Gemm read, unless `targets` says otherwise; it
 * sees weights of two axes or more.
 *
 * The matrices are parameters of the model, named `weight.lora_A` and `weight.lora_B`; they are returned, and `loraStateDict` of @bp/nn gives them alone,
 * to save. The model can be exported as it is, or after {@link mergeOnnxLoRA}, with nothing but the weights it had.
 *
 * @example
 * ```ts
 * import { Linear, loraStateDict } from '@bp/nn'
 * import { addOnnxLoRA, exportOnnx, importOnnx, mergeOnnxLoRA } from '@bp/onnx'
 * const model = importOnnx(exportOnnx(new Linear(8, 4), [{ name: 'x', shape: [1, 8] }]))
 * addOnnxLoRA(model, { rank: 2 }).map(p => p.shape) // => [[2, 8], [4, 2]]
 * Array.from(loraStateDict(model).keys()) // => [weight.lora_A, weight.lora_B]
 * mergeOnnxLoRA(model)
 * model.namedParameters().map(([name]) => name) // => [weight, bias]
 * ```
 */
export function addOnnxLoRA(model: OnnxModule, { dropout = 0, ...options }: LoRAOptions = {}, targets?: OnnxLoRATargets): Parameter[] {
  if (dropout > 0) fail('value', 'addOnnxLoRA', 'an update that is added to a weight has no input to drop. Leave dropout out')
  if (OnnxModule.updatesOf(model).size > 0) fail('value', 'addOnnxLoRA', 'the model has low-rank updates already. Take them into its weights with mergeOnnxLoRA first')
  const factors = matricesOf(model)
  const wide = model.namedParameters().filter(([, weight]) => weight.rank >= 2)
  const chosen = wide.filter(([name, weight]) => targets ? targets(name, weight) : factors.has(name) && weight.rank === 2)
  if (chosen.length === 0) fail('value', 'addOnnxLoRA', `no weight was chosen of ${wide.map(([name, weight]) => `${name} ${describe(weight)}`).join(', ') || 'none'}. Give targets by name`)
  model.requiresGrad(false)
  return chosen.flatMap(([name, weight]) => {
    const update = lowRankUpdate(weight, options, weight.rank === 3 && weight.shape[0] === 1 ? 2 : 1)
    OnnxModule.setUpdate(model, name, update)
    return [update.lora_A, update.lora_B]
  })
}

/** The values that products of matrices read, or their transposes. */
function matricesOf(model: OnnxModule): ReadonlySet<string> {
  const turned = new Map(model.nodes.filter(({ operator }) => operator === 'Transpose' || operator === 'Identity').map(({ inputs, outputs }) => [outputs[0], inputs[0]!]))
  return new Set(model.nodes.filter(({ operator }) => operator === 'MatMul' || operator === 'Gemm').flatMap(({ inputs }) => inputs.slice(0, 2).flatMap(name => [name, turned.get(name) ?? name])))
}

/** Adds every update of {@link addOnnxLoRA} to its weight for good, and thaws the model. */
export function mergeOnnxLoRA(model: OnnxModule): void {
  const weights = new Map(model.namedParameters())
  for (const [name, update] of OnnxModule.updatesOf(model)) {
    const weight = weights.get(name)!
    noGrad(() => { weight.assign(detach(withUpdate(weight, update))) })
    OnnxModule.setUpdate(model, name, null)
  }
  model.requiresGrad(true)
}
