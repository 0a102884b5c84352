// What an app bundles that feeds arrays in memory to a training loop.

import { DataLoader, TensorDataset } from '@bp/data'

const dataset = new TensorDataset(new Float32Array(8), Int32Array.of(0, 1, 0, 1, 0, 1, 0, 1))
for (const [x, y] of new DataLoader(dataset, { batchSize: 4, shuffle: true })) console.log(x, y)
