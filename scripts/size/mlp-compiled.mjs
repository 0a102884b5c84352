// What an app bundles that trains a small classifier by a compiled step, in WebAssembly and on all threads.

import { cpu } from '@bp/backend-cpu'
import { compile, tensor, use } from '@bp/core'
import { Adam, crossEntropy, Linear, ReLU, Sequential } from '@bp/nn'

use(cpu())
const model = new Sequential(new Linear(4, 16), new ReLU(), new Linear(16, 3))
const optimiser = new Adam(model.parameters(), { lr: 0.01 })
const step = compile((x, y) => {
  optimiser.zeroGrad()
  const loss = crossEntropy(model.forward(x), y)
  loss.backward()
  optimiser.step()
  return loss
})
console.log(step(tensor([[1, 2, 3, 4]]), tensor([2], { dtype: 'int32' })).item())
