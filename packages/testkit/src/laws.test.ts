// Every law on every primitive and composite, on the CPU backend.

import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { test } from 'vitest'
import { allLaws, suite } from './index.ts'

use(cpu())
suite(test, allLaws())
