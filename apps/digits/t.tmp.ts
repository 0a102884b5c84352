import { cpu } from '@bp/backend-cpu'
import { add, compile, tensor, use, Tensor } from '@bp/core'
import { Adam, AdamW, crossEntropy, Linear, ReLU, Sequential, SGD, Module, Conv2d, MaxPool2d, Flatten } from '@bp/nn'
import { Generator } from '@bp/ops'
use(cpu())
const make = (kind: string) => {
  const generator = new Generator(3)
  const d = new Generator(5)
  const y = tensor(Int32Array.from({ length: 64 }, (_, i) => (i * 7) % 10))
  if (kind === 'mlp') {
    const model = new Sequential(new Linear(784, 256, { generator }), new ReLU(), new Linear(256, 128, { generator }), new ReLU(), new Linear(128, 10, { generator }))
    return { model, opt: new Adam(model.parameters()), x: d.uniform([64, 784]), y }
  }
  const model = new Sequential(new Conv2d(1, 8, 5, { padding: 2, generator }), new ReLU(), new MaxPool2d(2), new Conv2d(8, 16, 5, { padding: 2, generator }), new ReLU(), new MaxPool2d(2), new Flatten(), new Linear(784, 10, { generator }))
  return { model, opt: new SGD(model.parameters(), { lr: 0.01, momentum: 0.9 }), x: d.uniform([64, 1, 28, 28]), y }
}
for (const kind of ['mlp', 'cnn']) {
  const run = (c: boolean) => {
    const { model, opt, x, y } = make(kind)
    const f = (x: Tensor, y: Tensor) => { opt.zeroGrad(); const loss = crossEntropy(model.forward(x), y); loss.backward(); opt.step(); return loss }
    const step: any = c ? compile(f) : f
    return { step, x, y }
  }
  const a = run(false), b = run(true)
  const begin = performance.now()
  const first = b.step(b.x, b.y).item()
  console.log(kind, 'first call ms', (performance.now() - begin).toFixed(0))
  const la = Array.from({ length: 6 }, () => a.step(a.x, a.y).item())
  const lb = [first, ...Array.from({ length: 5 }, () => b.step(b.x, b.y).item())]
  console.log(la.map(v => v.toFixed(5)).join(' '), '|', lb.map(v => v.toFixed(5)).join(' '))
  for (let i = 0; i < 100; i++) b.step(b.x, b.y)
  await new Promise(r => setTimeout(r, 300))
  for (const name of ['compile']) {
    const t: number[] = []
    for (let i = 0; i < 100; i++) { const s = performance.now(); b.step(b.x, b.y); t.push(performance.now() - s) }
    t.sort((p, q) => p - q)
    console.log(kind, name, t[50]!.toFixed(3), 'ms min', t[0]!.toFixed(3))
  }
  console.log(b.step.explain(b.x, b.y))
  console.log(b.step.profile(b.x, b.y).slice(0, 12).map((p: any) => `${p.milliseconds.toFixed(3)} ${p.name.slice(0, 200)}`).join('\n'))
  if (process.argv[2] === kind) console.log(b.step.dump(b.x, b.y))
}
