// What an app bundles that trains a small classifier.

import { cpu } from '@bp/backend-cpu'
import { tensor, use } from '@bp/core'
import { Adam, crossEntropy, Linear, ReLU, Sequential } from '@bp/nn'

use(cpu())
const model = new Sequential(new Linear(4, 16), new ReLU(), new Linear(16, 3))
const optimiser = new Adam(model.parameters(), { lr: 0.01 })
const loss = crossEntropy(model.forward(tensor([[1, 2, 3, 4]])), tensor([2], { dtype: 'int32' }))
loss.backward()
optimiser.step()
console.log(loss.item())
