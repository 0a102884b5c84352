// Every law on every primitive and composite, on the reference backend and on the CPU.

import { use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { beforeAll, describe, test } from 'vitest'
import { allLaws, reference, suite } from './index.ts'

describe('reference', () => {
  beforeAll(() => { use(reference()) })
  suite(test, allLaws())
})

describe('cpu', () => {
  beforeAll(() => { use(cpu()) })
  suite(test, allLaws())
})
