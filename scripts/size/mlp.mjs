// What an app bundles that trains a small classifier.

import { constants, cpuOf, elementwise, indexing, products, reductions, sources, views } from '@bp/backend-cpu/pick'
import { tensor, use } from '@bp/core'
import { Adam, crossEntropy, Linear, ReLU, Sequential } from '@bp/nn'

use(cpuOf(elementwise(), constants(), sources(), views(), reductions(), products(), indexing()))
const model = new Sequential(new Linear(4, 16), new ReLU(), new Linear(16, 3))
const optimiser = new Adam(model.parameters(), { lr: 0.01 })
const loss = crossEntropy(model.forward(tensor([[1, 2, 3, 4]])), tensor([2], { dtype: 'int32' }))
loss.backward()
optimiser.step()
console.log(loss.item())
