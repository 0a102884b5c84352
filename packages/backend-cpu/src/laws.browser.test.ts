// The laws of what a page computes, at each row's first sample in float32: its values, gradients and compiled form.

import { use } from '@bp/core'
import { allLaws, suite } from '@bp/testkit'
import { beforeAll, describe, test } from 'vitest'
import { cpu } from './index.ts'

describe('cpu in a page', () => {
  beforeAll(() => { use(cpu()) })
  suite(test, allLaws({ dtypes: ['float32'], only: ['values', 'adjoint', 'compiling'] }).filter(({ name }) => name.endsWith('sample 0')))
})
