import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { inputs } from '../bench/src/data.ts'
import { ours } from '../bench/src/peers/ours.ts'
const job = await ours()['cnn']!['compile']!(inputs['cnn']!())
for (let i = 0; i < 300; i++) job.run()
await new Promise(r => setTimeout(r, 500))
for (let k = 0; k < 4; k++) {
  const t: string[] = []
  for (let i = 0; i < 14; i++) { const s = performance.now(); job.run(); t.push((performance.now() - s).toFixed(2)) }
  console.log('sync', t.join(' '))
  await new Promise(r => setTimeout(r, 300))
}
const { readFileSync, readdirSync } = await import('node:fs')
const stat = () => readdirSync('/proc/self/task').map(t => [t, readFileSync(`/proc/self/task/${t}/schedstat`, 'utf8').split(' ').map(Number)] as const)
for (let k = 0; k < 3; k++) {
  await new Promise(r => setTimeout(r, 300))
  const a = new Map(stat()); const s = performance.now()
  for (let i = 0; i < 10; i++) job.run()
  const wall = performance.now() - s
  console.log('wall', wall.toFixed(1), stat().map(([t, v]) => { const b = a.get(t) ?? [0, 0]; return [(v[0]! - b[0]!) / 1e6, (v[1]! - b[1]!) / 1e6] }).filter(([r]) => r! > 1).map(([r, w]) => `run ${r!.toFixed(1)} wait ${w!.toFixed(1)}`).join(' | '))
}

const cpus = () => readdirSync('/proc/self/task').map(t => { const s = readFileSync(`/proc/self/task/${t}/stat`, 'utf8'); const f = s.slice(s.lastIndexOf(')') + 2).split(' '); return [Number(f[11]) + Number(f[12]), f[36], f[0]] as const })
for (let k = 0; k < 4; k++) {
  await new Promise(r => setTimeout(r, 300))
  const out: string[] = []
  for (let i = 0; i < 8; i++) { const s = performance.now(); job.run(); const d = performance.now() - s; const top = cpus().sort((a, b) => b[0] - a[0]).slice(0, 2); out.push(d.toFixed(1) + '@' + top.map(t => t[1]).join('')) }
  console.log(out.join(' '))
}
process.exit(0)
