import { use, tensor, grad } from '@bp/core'
import { bind } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { readFileSync } from 'node:fs'
use(cpu())
const jobs = JSON.parse(readFileSync(0,'utf8'))
const out=[]
for (const j of jobs) {
  const m = await import(j.file)
  const x = tensor(j.xs,{dtype:'float64'})
  const y = j.row ? bind(m[j.row],[x],j.p) : m[j.fn](x, ...(j.args??[]))
  out.push(Array.from(y.dataSync()).map(v=>Number.isNaN(v)?'nan':v===Infinity?'inf':v===-Infinity?'-inf':v))
}
console.log(JSON.stringify(out))
