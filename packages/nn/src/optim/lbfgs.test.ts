// L-BFGS against PyTorch's path through Rosenbrock's valley, with compiled closures, and saved runs.

import { cpu } from '@bp/backend-cpu'
import { add, compile, mul, type Tensor, tensor, use } from '@bp/core'
import { cos, narrow, square, sub, sum } from '@bp/ops'
import { expect, test } from 'vitest'
import { decodeSafetensors, encodeSafetensors, LBFGS, type LBFGSOptions, Parameter } from '../index.ts'

use(cpu())

const f64 = { dtype: 'float64' } as const
const parameters = (): [p: Parameter, q: Parameter] => [new Parameter(tensor([-1.2, 1, 0.5], f64)), new Parameter(tensor([[0.3, -0.7]], f64))]

/** Rosenbrock's valley (1960) in three dimensions beside a bowl, and a term that mixes both. */
function loss(p: Tensor, q: Tensor): Tensor {
  const [before, after] = [narrow(p, 0, 0, 2), narrow(p, 0, 1, 2)]
  const valley = sum(add(mul(100, square(sub(after, square(before)))), square(sub(1, before))))
  return add(add(valley, sum(square(q))), cos(mul(sum(narrow(p, 0, 0, 1)), sum(narrow(q, 1, 1, 1)))))
}

class Descent {
  readonly parameters = parameters()
  readonly optimiser: LBFGS
  calls = 0
  private readonly sign: number

  constructor(options: Partial<LBFGSOptions>) {
    this.optimiser = new LBFGS(this.parameters, options)
    this.sign = options.maximize ? -1 : 1
  }

  step(): number {
    return this.optimiser.step(() => {
      this.calls++
      this.optimiser.zeroGrad()
      const y = mul(this.sign, loss(...this.parameters))
      y.backward()
      return y
    }).item()
  }

  values(): number[] {
    return this.parameters.flatMap(p => Array.from(p.dataSync(), Number))
  }
}

/** Made by PyTorch 2.15: options, steps, and then calls of the closure, the last step's loss, and the parameters. */
const golden: readonly [Partial<LBFGSOptions>, number, number, number, readonly number[]][] = [
  [{ lr: 0.1, maxIter: 5 }, 6, 30, 5.358593241366664, [-0.9393826115060511, 0.8707160331097088, 0.7380647525194447, 0.2786990977722199, -0.6704822711239332]],
  [{ lr: 0.001, historySize: 3 }, 4, 80, 45.59144596362588, [-1.1868412681307288, 0.999962018583428, 0.5379165066818887, 0.29763636422588885, -0.6970322225057207]],
  [{ lineSearch: 'strong_wolfe', maxIter: 7 }, 3, 25, 4.071717258948037, [-0.27222987880036914, 0.06005874704280226, 0.02659755869931031, -0.08679396498640216, 0.17929947873122298]],
  [{ lineSearch: 'strong_wolfe', maxIter: 4, maxEval: 6, lr: 0.5 }, 4, 21, 4.893513147029373, [-0.6454177063460529, 0.4413329848860838, 0.17208903404568984, -0.19092087487414386, 0.026626868479522454]],
  [{ lineSearch: 'strong_wolfe', maxIter: 7, maximize: true, historySize: 2 }, 3, 26, -4.271819953898658, [-0.523893620662972, 0.28373747443714686, 0.07972884993550854, -0.325621309822811, 0.2610927407231407]],
  [{ lineSearch: 'strong_wolfe', toleranceChange: 0.1, toleranceGrad: 0.1 }, 2, 6, 5.5425648515039905, [-0.8908090714884043, 0.778296920923804, 0.6272772081637158, 0.29475961705332515, -0.6926507063692182]],
]

test.each(golden)('%o: PyTorch\'s path and as many evaluations', (options, steps, calls, last, want) => {
  const descent = new Descent(options)
  let y = 0
  for (let k = 0; k < steps; k++) y = descent.step()
  expect(descent.calls).toBe(calls)
  // rounding grows along the valley, by a line search most
  expect(Math.abs(y / last - 1)).toBeLessThan(1e-8)
  descent.values().forEach((value, i) => { expect(Math.abs(value - want[i]!)).toBeLessThan(1e-8) })
})

test('a saved run goes on bit by bit', () => {
  const options = { lineSearch: 'strong_wolfe', maxIter: 4 } as const
  const unbroken = new Descent(options)
  for (let k = 0; k < 3; k++) unbroken.step()
  const { tensors, ...rest } = unbroken.optimiser.stateDict()
  const file = encodeSafetensors(new Map(tensors))
  const resumed = new Descent(options)
  resumed.parameters.forEach((p, i) => { p.assign(tensor(unbroken.parameters[i]!.dataSync(), { shape: p.shape })) })
  resumed.optimiser.loadStateDict({ ...rest, tensors: decodeSafetensors(file).tensors })
  for (let k = 0; k < 3; k++) expect(resumed.step()).toBe(unbroken.step())
  expect(resumed.values()).toEqual(unbroken.values())
  expect(() => { new LBFGS([new Parameter(tensor([1]))]).loadStateDict({ tensors, steps: [0], groups: rest.groups }) }).toThrowErrorMatchingInlineSnapshot(`[BpError: loadStateDict: the state d must be a vector of 1 elements, the parameters end to end. Use the same model]`)
})

test('a compiled closure returns its gradients', () => {
  const [eager, ps] = [new Descent({ lineSearch: 'strong_wolfe', maxIter: 5 }), parameters()]
  const optimiser = new LBFGS(ps, { lineSearch: 'strong_wolfe', maxIter: 5 })
  const compiled = compile((): [Tensor, Tensor[]] => {
    optimiser.zeroGrad()
    const y = loss(...ps)
    y.backward()
    return [y, ps.map(p => p.grad!)]
  })
  expect(optimiser.step(compiled).item()).toBeCloseTo(eager.step(), 10)
  expect(optimiser.step(compiled).item()).toBeCloseTo(eager.step(), 6)
})

test('the step itself cannot be compiled or go without a closure, and says so', () => {
  const { optimiser } = new Descent({})
  const step = compile(() => optimiser.step(() => tensor(0)))
  expect(() => step()).toThrowErrorMatchingInlineSnapshot(`[BpError: LBFGS: its step decides by the values of the loss when it is done, and cannot be compiled. Compile the closure instead: let it return [loss, grads], and call step(closure) outside]`)
  expect(() => optimiser.step()).toThrowErrorMatchingInlineSnapshot(`[BpError: LBFGS: needs a closure that computes the loss and its gradients anew. Call step(() => { zeroGrad(); …; loss.backward(); return loss })]`)
  expect(() => { optimiser.addParamGroup({ params: [new Parameter(tensor(1))] }) }).toThrowErrorMatchingInlineSnapshot(`[BpError: LBFGS: all parameters must be in one group, for it takes them as one vector. Make one optimiser of all parameters]`)
})
