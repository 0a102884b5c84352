// The network: two convolutions with pooling, then one dense layer.

import { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential } from '@bp/nn'
import type { Generator } from '@bp/ops'

/** 28 × 28 pixels to ten logits. */
export const digitsNetwork = (generator: Generator): Sequential => new Sequential(
  new Conv2d(1, 8, 5, { padding: 2, generator }),
  new ReLU(),
  new MaxPool2d(2),
  new Conv2d(8, 16, 5, { padding: 2, generator }),
  new ReLU(),
  new MaxPool2d(2),
  new Flatten(),
  new Linear(16 * 7 * 7, 10, { generator }),
)
