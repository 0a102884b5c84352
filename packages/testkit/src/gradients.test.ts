// checkGradients on functions that are right and wrong.

import { cpu } from '@bp/backend-cpu'
import { mul, tensor, use } from '@bp/core'
import { detach, exp, matmul, sum, take, tanh } from '@bp/ops'
import { expect, test } from 'vitest'
import { checkGradients, LawError } from './index.ts'

use(cpu())

test('a right function, several inputs, one of them whole numbers', async () => {
  const report = await checkGradients((x, w, i) => sum(tanh(matmul(take(x, i), w)), 1), [
    tensor([[0.1, 0.2], [0.3, -0.4], [0.5, 0.6]]), tensor([[1, 2], [3, 4]]), tensor([2, 0], { dtype: 'int32' }),
  ])
  expect(report.error).toBeLessThan(1e-8)
})

test('a wrong function is an error that names the worst element', async () => {
  const wrong = checkGradients(x => mul(detach(x), exp(x)), [tensor([0.5, 2])])
  await expect(wrong).rejects.toThrow(LawError)
  await expect(wrong).rejects.toThrow(/^checkGradients: the derivative by element \[1\] of input 0 is .*, a central difference gives .* \(off by .*, allowed .*\)$/)
})

test('a derivative that is NaN is an error', async () => {
  await expect(checkGradients(x => mul(x, NaN), [tensor([1])])).rejects.toThrow('off by Infinity')
})
