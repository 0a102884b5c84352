// Strings in imported models: operators that compute with them, and those that move them as they move numbers.

import { type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import proto, { type onnx } from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { graphOf, modelBytes, node, nodeWith, type Setting, whole } from '../../test/model.ts'
import { show } from '../../test/show.ts'
import { importOnnx, type OnnxValue, StringTensor, UnsupportedError } from '../index.ts'
import { codeOf, type ElementType } from '../proto/elementType.ts'

use(cpu())

const typed = (name: string, type: ElementType): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: codeOf(type) } } })
const texts = (shape: number[], ...data: string[]): StringTensor => new StringTensor(shape, data)
const words = (name: string, ...data: string[]): onnx.ITensorProto => ({ name, dims: [data.length], dataType: 8, stringData: data.map(text => new TextEncoder().encode(text)) })
const list = (name: string, ...data: string[]): onnx.IAttributeProto => ({ name, type: proto.onnx.AttributeProto.AttributeType.STRINGS, strings: data.map(text => new TextEncoder().encode(text)) })

/** The results of one operator on strings x and constants. */
function run(operator: string, inputs: string[], x: StringTensor, results: ElementType[], settings: Record<string, Setting> = {}, constants: onnx.ITensorProto[] = [], attributes: onnx.IAttributeProto[] = []): OnnxValue[] {
  const one = nodeWith(operator, inputs, results.map((_, i) => `y${i}`), settings)
  one.attribute!.push(...attributes)
  return Object.values(importOnnx(modelBytes(graphOf([one], [typed('x', 'string')], results.map((type, i) => typed(`y${i}`, type)), constants), 20)).runValues({ x }))
}

describe('moved as numbers are', () => {
  const x = texts([2, 2], 'b', '', 'ä', 'b')

  test.each<[string, string[], Record<string, Setting>, onnx.ITensorProto[], StringTensor]>([
    ['Reshape', ['x', 'to'], {}, [whole('to', [4])], texts([4], 'b', '', 'ä', 'b')],
    ['Transpose', ['x'], {}, [], texts([2, 2], 'b', 'ä', '', 'b')],
    ['Gather', ['x', 'at'], { axis: 0 }, [whole('at', [1], [])], texts([2], 'ä', 'b')],
    ['Concat', ['x', 'x'], { axis: 0 }, [], texts([4, 2], 'b', '', 'ä', 'b', 'b', '', 'ä', 'b')],
    ['Slice', ['x', 'from', 'to'], {}, [whole('from', [1]), whole('to', [2])], texts([1, 2], 'ä', 'b')],
    ['Pad', ['x', 'by'], {}, [whole('by', [0, 1, 0, 0])], texts([2, 3], '', 'b', '', '', 'ä', 'b')],
    ['ScatterElements', ['x', 'at', 'new'], { axis: 0 }, [whole('at', [0, 1], [1, 2]), { ...words('new', 'c', 'd'), dims: [1, 2] }], texts([2, 2], 'c', '', 'ä', 'd')],
    ['Where', ['yes', 'x', 'w'], {}, [{ name: 'yes', dims: [2, 1], dataType: 9, int32Data: [1, 0] }, words('w', 'z')], texts([2, 2], 'b', '', 'z', 'z')],
    ['Identity', ['x'], {}, [], x],
  ])('%s', (operator, inputs, settings, constants, want) => {
    expect(run(operator, inputs, x, ['string'], settings, constants)).toEqual([want])
  })

  test('compared for equality, counted, and taken apart into sequences', () => {
    expect(show(run('Equal', ['x', 'w'], x, ['bool'], {}, [words('w', 'b', 'b')])[0])).toBe('tensor([[true, false], [false, true]], bool)')
    expect(show(run('Shape', ['x'], x, ['int64'])[0])).toBe('tensor([2, 2], int64)')
    const parts = importOnnx(modelBytes(graphOf([node('SplitToSequence', ['x'], ['s']), nodeWith('ConcatFromSequence', ['s'], ['y'], { axis: 1 })], [typed('x', 'string')], [typed('y', 'string')])))
    expect(parts.runValues({ x })).toEqual({ y: texts([1, 4], 'b', '', 'ä', 'b') })
  })

  test('constants of strings', () => {
    const constant = (attribute: onnx.IAttributeProto): OnnxValue =>
      importOnnx(modelBytes(graphOf([{ opType: 'Constant', output: ['c'], attribute: [attribute] }, node('Identity', ['c'], ['y'])], [], [typed('y', 'string')]))).runValues({}).y!
    expect(constant(list('value_strings', 'a', 'b'))).toEqual(texts([2], 'a', 'b'))
    expect(constant({ name: 'value_string', type: proto.onnx.AttributeProto.AttributeType.STRING, s: new TextEncoder().encode('c') })).toEqual(texts([], 'c'))
  })

  test('an operator that needs numbers refuses them', () => {
    expect(() => run('Exp', ['x'], x, ['string'])).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: node "y0" (Exp): importOnnx: got strings of shape [2,2] where a tensor of numbers is needed. The file is damaged]')
  })
})

describe('computed with', () => {
  test('StringConcat broadcasts', () => {
    expect(run('StringConcat', ['x', 'w'], texts([2, 1], 'a', 'b'), ['string'], {}, [words('w', '1', '2')])).toEqual([texts([2, 2], 'a1', 'a2', 'b1', 'b2')])
  })

  // str.split of Python
  test.each<[string, string, Record<string, Setting>, string[]]>([
    ['by white space', ' a  b\tc ', {}, ['a', 'b', 'c']],
    ['by white space, once', ' a  b\tc ', { maxsplit: 1 }, ['a', 'b\tc ']],
    ['by a delimiter', 'a,,b,', { delimiter: ',' }, ['a', '', 'b', '']],
    ['by a delimiter, twice', 'a--b--c--d', { delimiter: '--', maxsplit: 2 }, ['a', 'b', 'c--d']],
  ])('StringSplit %s', (_name, text, settings, want) => {
    const [parts, counts] = run('StringSplit', ['x'], texts([2], text, 'z'), ['string', 'int64'], settings)
    expect(parts).toEqual(texts([2, want.length], ...want, 'z', ...new Array<string>(want.length - 1).fill('')))
    expect(show(counts)).toBe(`tensor([${want.length}, 1], int64)`)
  })

  test('StringNormalizer drops stop words and changes case', () => {
    const x = texts([4], 'Monday', 'tuesday', 'MONDAY', 'Éa')
    expect(run('StringNormalizer', ['x'], x, ['string'], { case_change_action: 'UPPER' }, [], [list('stopwords', 'monday')])).toEqual([texts([2], 'TUESDAY', 'ÉA')])
    expect(run('StringNormalizer', ['x'], x, ['string'], { case_change_action: 'LOWER', is_case_sensitive: 1, locale: 'en_US' }, [], [list('stopwords', 'Monday')])).toEqual([texts([3], 'tuesday', 'monday', 'éa')])
    expect(run('StringNormalizer', ['x'], texts([1, 1], 'a'), ['string'], {}, [], [list('stopwords', 'a')])).toEqual([texts([1, 1], '')])
    expect(() => run('StringNormalizer', ['x'], texts([2, 1], 'a', 'b'), ['string'])).toThrow('takes [c] or [1,c]')
  })
})

describe('RegexFullMatch', () => {
  const matches = (pattern: string, ...data: string[]): boolean[] => [...(run('RegexFullMatch', ['x'], texts([data.length], ...data), ['bool'], { pattern })[0] as Tensor).toArray() as boolean[]]

  test.each<[string, string[], string[]]>([
    ['a|ab', ['a', 'ab'], ['abc', '']],
    ['(?i)straße', ['STRAßE'], ['strasse']],
    ['.', ['\r', '😀'], ['\n', 'ab']],
    ['(?s).', ['\n'], ['']],
    ['[[:alpha:]_]+', ['ab_'], ['a1', 'ä']],
    ['[]a-]+', [']-a'], ['b']],
    ['\\d{2}\\s\\w', ['12 x'], ['12\u00a0x', '1 x']],
    ['\\Qa.b\\E+', ['a.bb'], ['axb']],
    ['\\x{1F600}\\x41\\101', ['😀AA'], ['AA']],
    ['(?P<word>\\pL+)\\z', ['äb'], ['1']],
    ['\\p{Greek}[^\\d\\n]', ['αb'], ['ab', 'α1']],
    ['a{x}]', ['a{x}]'], ['a']],
    ['a(?i)b(?-i:c)|(?U:d+)', ['aBc', 'ddd', 'D'], ['ABc', 'aBC']],
    ['(?m)a$\\n^b{2,3}(c?){2}', ['a\nbb', 'a\nbbbcc'], ['a\nb', 'a\nbbccc', 'ab']],
    ['\\Aa\\b.\\Bb?', ['a-'], ['ab', 'a-b']],
    ['(|a)*b{0}', ['', 'aaa'], ['b']],
  ])('%s', (pattern, yes, no) => {
    expect(matches(pattern, ...yes, ...no)).toEqual([...yes.map(() => true), ...no.map(() => false)])
  })

  test.each(['a(?=b)', '(a)\\1', '\\C', '[\\b]', '\\Z', '((a{1000}){1000}){1000}', '((((){1000}){1000}){1000}){1000}', '('.repeat(2000)])('%s is refused, for it is too large or RE2 has it not', pattern => {
    expect(() => matches(pattern, 'a')).toThrow(UnsupportedError)
  })

  test('takes no longer where a pattern can match in many ways', () => {
    expect(matches('(a+)+(a|aa)*', `${'a'.repeat(500)}b`, 'a'.repeat(500))).toEqual([false, true])
  })

  test.each(['a(', 'a)', '*a', 'a**', 'a{2,1}', '\\p{Nothing}', '[b-a]', 'a{1001}'])('%s is no pattern', pattern => {
    expect(() => matches(pattern, 'a')).toThrow('is no regular expression of RE2')
  })

  test('a pattern that is none is told why', () => {
    expect(() => matches('a(', 'a')).toThrowErrorMatchingInlineSnapshot(`[BpError: OnnxModule: node "y0" (RegexFullMatch): RegexFullMatch: the pattern "a(" is no regular expression of RE2: a parenthesis is not closed. Write it anew]`)
    expect(() => matches('(a)\\1', 'a')).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: OnnxModule: node "y0" (RegexFullMatch): RegexFullMatch: \\1 in the pattern "(a)\\\\1" is unsupported. Export the model without it, or pass an implementation in importOnnx(bytes, { operators: { RegexFullMatch: … } })]`)
  })
})
