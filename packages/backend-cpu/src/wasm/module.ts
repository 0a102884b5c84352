// A WebAssembly module in the making: functions with locals and structured control flow, put together as bytes.

import { type Code, list, name, sized, toBytes, unsigned } from './encode.ts'
import { constants, type Expr, expr, i32, type I32, type Int, type Type } from './instructions.ts'

const typeCodes: Readonly<Record<Type, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b }
const empty = 0x40

/** A local variable or parameter: an expression that reads it. */
export interface Local<T extends Type = Type> extends Expr<T> {
  readonly index: number
}

/** A function as its callers see it. */
export interface Callee {
  readonly index: number
  readonly results: readonly Type[]
}

type LocalsOf<P extends readonly Type[]> = { readonly [K in keyof P]: Local<P[K]> }

/** A function in the making: statements are added in order. */
export class Func<P extends readonly Type[] = readonly Type[]> implements Callee {
  readonly index: number
  /** What the function is part of. */
  readonly module: ModuleBuilder
  readonly params: LocalsOf<P>
  readonly results: readonly Type[]
  readonly types: readonly Type[]
  private readonly locals: Type[] = []
  private readonly body: Code[] = []
  private loops = false
  /** How many times control has branched. */
  private branches = 0

  constructor(module: ModuleBuilder, index: number, types: P, results: readonly Type[]) {
    this.module = module
    this.index = index
    this.types = types
    this.results = results
    this.params = types.map((type, i) => local(type, i)) as unknown as LocalsOf<P>
  }

  /** A new local, 0 at first. */
  local<T extends Type>(type: T): Local<T> {
    this.locals.push(type)
    return local(type, this.types.length + this.locals.length - 1)
  }

  /** A new local that holds `value`. */
  let<T extends Type>(value: Expr<T>): Local<T> {
    const variable = this.local(value.type)
    this.set(variable, value)
    return variable
  }

  /** A new whole-number local. */
  int(value: Int): Local<'i32'> {
    return this.let(i32.const(value))
  }

  /** Adds instructions that leave nothing on the stack. */
  do(...code: Code[]): void {
    this.body.push(...code)
  }

  set<T extends Type>(to: Local<T>, value: Expr<T>): void {
    this.do([value.code, 0x21, unsigned(to.index)])
  }

  /** Adds to a whole-number local. */
  add(to: Local<'i32'>, value: Int): void {
    this.set(to, i32.add(to, value))
  }

  /**
   * Adds the statements of several emitters in turns, one of each, where they are straight lines: a constant is then read for
   * all of them at once, and none waits for the one before. They must not write to the same locals.
   */
  inTurns(emitters: readonly (() => void)[]): void {
    const branches = this.branches
    const lists = emitters.map(emit => {
      const start = this.body.length
      emit()
      return this.body.splice(start)
    })
    if (this.branches > branches) this.do(...lists.flat())
    else for (let i = 0; i < Math.max(...lists.map(({ length }) => length)); i++) this.do(...lists.flatMap(list => i < list.length ? [list[i]!] : []))
  }

  /** Does `then` where the condition is not 0. */
  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.branches++
    this.do([condition.code, 0x04, empty])
    then()
    if (otherwise) {
      this.do([0x05])
      otherwise()
    }
    this.do([0x0b])
  }

  /** Repeats `body` while the condition holds, tested before each round. */
  while(condition: I32, body: () => void): void {
    this.loops = true
    this.branches++
    this.do([0x02, empty, 0x03, empty, i32.eqz(condition).code, 0x0d, 1])
    body()
    this.do([0x0c, 0, 0x0b, 0x0b])
  }

  /** Counts a local up to an end that is not passed; the test stands at the end of a round, as machines like it. */
  count(i: Local<'i32'>, end: Int, step: Int, body: () => void): void {
    this.loops = true
    this.branches++
    this.do([i32.ltS(i, end).code, 0x04, empty, 0x03, empty])
    body()
    this.add(i, step)
    this.do([i32.ltS(i, end).code, 0x0d, 0, 0x0b, 0x0b])
  }

  /** Counts from a start up to an end. */
  for(start: Int, end: Int, step: Int, body: (i: Local<'i32'>) => void): void {
    const i = this.int(start)
    this.count(i, end, step, () => { body(i) })
  }

  /** Calls a function without results. */
  call(callee: Callee, ...args: (Expr | number)[]): void {
    this.do([args.map(arg => typeof arg === 'number' ? i32.const(arg).code : arg.code), 0x10, unsigned(callee.index)])
  }

  /** Calls a function and keeps its results. */
  receive(results: readonly Local[], callee: Callee, ...args: Expr[]): void {
    this.do([args.map(arg => arg.code), 0x10, unsigned(callee.index), ...results.toReversed().map(({ index }): Code => [0x21, unsigned(index)])])
  }

  /** Leaves the function; a result is the value given. */
  return(value?: Expr): void {
    this.do([value ? value.code : [], 0x0f])
  }

  /** The function's entry in the code section. */
  encode(): Code {
    const body = this.loops ? this.hoisted() : this.body
    return sized([list(this.locals.map(type => [1, typeCodes[type]])), body, 0x0b])
  }

  /** The body with vector constants set once at its start: engines make each anew, in several instructions, wherever it stands. */
  private hoisted(): Code {
    const pool = new Map<string, Local>()
    const first: Code[] = []
    const read = (code: Code): Code => {
      const key = constants.get(code)
      if (key === undefined) return code.map(part => typeof part === 'number' ? part : read(part))
      let variable = pool.get(key)
      if (!variable) {
        pool.set(key, variable = this.local('v128'))
        first.push([code, 0x21, unsigned(variable.index)])
      }
      return variable.code
    }
    const body = read(this.body)
    return [first, body]
  }
}

const local = <T extends Type>(type: T, index: number): Local<T> => ({ type, index, code: [0x20, unsigned(index)] })

/** Calls a function with one result. */
export const callFor = <T extends Type>(type: T, callee: Callee, ...args: (Expr | number)[]): Expr<T> =>
  expr(type, [args.map(arg => typeof arg === 'number' ? i32.const(arg).code : arg.code), 0x10, unsigned(callee.index)])

/** The memory that a module imports as `env.memory`, in pages of 64 KiB. */
export interface MemoryType {
  readonly pages: number
  readonly maxPages: number
  readonly shared: boolean
}

/** A module in the making. Imported functions must be declared before the module's own. */
export class ModuleBuilder {
  private readonly memory: MemoryType
  private readonly signatures: Code[] = []
  private readonly known = new Map<string, number>()
  private readonly imports: { readonly field: string; readonly type: number }[] = []
  private readonly functions: { readonly func: Func; readonly type: number }[] = []
  private readonly exports: Code[] = []
  private readonly helpers = new Map<string, Callee>()

  constructor(memory: MemoryType) {
    this.memory = memory
  }

  /** A function that the host gives as `env.field`. */
  import(field: string, types: readonly Type[], results: readonly Type[] = []): Callee {
    if (this.functions.length > 0) throw new Error('imports come before functions')
    this.imports.push({ field, type: this.signature(types, results) })
    return { index: this.imports.length - 1, results }
  }

  /** A function of this module; `exported` is the name by which the host sees it. */
  func<const P extends readonly Type[]>(types: P, results: readonly Type[] = [], exported?: string): Func<P> {
    const func = new Func(this, this.imports.length + this.functions.length, types, results)
    this.functions.push({ func: func, type: this.signature(types, results) })
    if (exported !== undefined) this.exports.push([name(exported), 0x00, unsigned(func.index)])
    return func
  }

  /** A function that others of the module share, made when it is first asked for. */
  helper(key: string, make: (module: this) => Callee): Callee {
    const callee = this.helpers.get(key) ?? make(this)
    this.helpers.set(key, callee)
    return callee
  }

  /** The module as bytes. */
  encode(): Uint8Array<ArrayBuffer> {
    const { pages, maxPages, shared } = this.memory
    const section = (id: number, content: Code): Code => [id, sized(content)]
    return toBytes([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, list(this.signatures)),
      section(2, list([
        [name('env'), name('memory'), 0x02, shared ? 3 : 1, unsigned(pages), unsigned(maxPages)],
        ...this.imports.map(({ field, type }) => [name('env'), name(field), 0x00, unsigned(type)]),
      ])),
      section(3, list(this.functions.map(({ type }) => unsigned(type)))),
      section(7, list(this.exports)),
      section(10, list(this.functions.map(({ func }) => func.encode()))),
    ])
  }

  private signature(types: readonly Type[], results: readonly Type[]): number {
    const key = `${types.join()}>${results.join()}`
    let index = this.known.get(key)
    if (index === undefined) {
      index = this.signatures.push([0x60, list(types.map(type => [typeCodes[type]])), list(results.map(type => [typeCodes[type]]))]) - 1
      this.known.set(key, index)
    }
    return index
  }
}

