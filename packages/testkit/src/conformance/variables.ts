// Checks of variables: a value that was read stays what it was, whatever is assigned later, op by op and in compiled steps.

import { add, compile, type DType, mul, type Tensor, Variable } from '@bp/core'
import { detach, reshape } from '@bp/ops'
import { type Check, expectElements, make } from './check.ts'

type Floating = 'float64' | 'float32'

const kept = (dtype: Floating): Check => ({
  name: `a variable’s old value survives assign ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    const v = new Variable(make([1, 2, 3, 4, 5, 6], [2, 3], dtype))
    const old = [detach(v), reshape(v, [6]), mul(v, 1)] as const
    v.assign(make([9, 9, 9, 9, 9, 9], [2, 3], dtype))
    for (const [i, x] of old.entries()) await expectElements(at, `what ${['detach', 'reshape', 'mul'][i]!} gave before the assignment`, x, i === 1 ? [6] : [2, 3], dtype, [1, 2, 3, 4, 5, 6])
    await expectElements(at, 'the variable', v, [2, 3], dtype, [9, 9, 9, 9, 9, 9])
  },
})

const steps = (dtype: Floating): Check => ({
  name: `a compiled step updates variables ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    const v = new Variable(make([1, 2, 3, 4, 5], [5], dtype))
    const count = new Variable(make([0], [], dtype))
    const step = compile((x: Tensor) => {
      v.assign(add(mul(v, 2), x))
      count.assign(add(count, 1))
      return add(v, 0)
    })
    const seen: { value: Tensor; views: Tensor[]; expected: number[] }[] = []
    let expected = [1, 2, 3, 4, 5]
    for (let i = 0; i < 4; i++) {
      const value = step(make([i, 0, 1, 0, -1], [5], dtype))
      expected = expected.map((y, k) => 2 * y + [i, 0, 1, 0, -1][k]!)
      seen.push({ value, views: [detach(v), reshape(v, [5, 1])], expected })
    }
    for (const [i, { value, views, expected }] of seen.entries()) {
      await expectElements(at, `the result of step ${i}`, value, [5], dtype, expected)
      await expectElements(at, `the variable detached after step ${i}, read after the last step`, views[0]!, [5], dtype, expected)
      await expectElements(at, `the variable reshaped after step ${i}, read after the last step`, views[1]!, [5, 1], dtype, expected)
    }
    await expectElements(at, 'the count', count, [], dtype, [4])
  },
})

const mixed = (dtype: Floating): Check => ({
  name: `compiled steps and assignments take turns ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    const v = new Variable(make([1, 2, 3], [3], dtype))
    const double = compile(() => {
      v.assign(mul(v, 2))
      return []
    })
    double()
    await expectElements(at, 'the variable after a step', v, [3], dtype, [2, 4, 6])
    const before = detach(v)
    v.assign(make([5, 5, 6], [3], dtype))
    double()
    await expectElements(at, 'the variable after an assignment and a step', v, [3], dtype, [10, 10, 12])
    v.assign(before)
    double()
    await expectElements(at, 'the variable after it was given its old value and a step', v, [3], dtype, [4, 8, 12])
    await expectElements(at, 'the old value', before, [3], dtype, [2, 4, 6])
  },
})

const exchanged = (dtype: Floating): Check => ({
  name: `a compiled step exchanges two variables ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    const [a, b] = [new Variable(make([1, 2, 3], [3], dtype)), new Variable(make([7, 8, 9], [3], dtype))]
    const exchange = compile(() => {
      const [x, y] = [add(a, 0), add(b, 1)]
      a.assign(y)
      b.assign(x)
      return []
    })
    for (let i = 0; i < 3; i++) exchange()
    await expectElements(at, 'the first variable', a, [3], dtype, [9, 10, 11])
    await expectElements(at, 'the second variable', b, [3], dtype, [2, 3, 4])
  },
})

/** Variables of other dtypes, such as a generator's key. */
const whole = (dtype: DType): Check => ({
  name: `a compiled step counts ${dtype}`,
  dtypes: [dtype],
  async run(at) {
    const v = new Variable(make([16777216, -1, 3], [3], dtype))
    const step = compile(() => {
      v.assign(add(v, v))
      return []
    })
    step()
    step()
    await expectElements(at, 'the variable', v, [3], dtype, [67108864, -4, 12])
  },
})

/** Variables, and what was read of them. */
export const variableChecks = (): Check[] => [...(['float64', 'float32'] as const).flatMap(dtype => [kept(dtype), steps(dtype), mixed(dtype), exchanged(dtype)]), whole('int32')]
