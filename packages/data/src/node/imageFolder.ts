// A folder of images, whose folders are their classes.

import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail } from '@bp/core/extend'
import { classIndex, type NdArray } from '../array.ts'
import { checkIndex, type Dataset } from '../dataset.ts'
import type { ImageOptions } from '../formats/image.ts'
import { bothOf, type Size } from '../transforms/pixels.ts'
import { resized } from '../transforms/resize.ts'
import { type FilePath, readImage } from './files.ts'

/** Options of {@link ImageFolder}. */
export interface ImageFolderOptions extends ImageOptions {
  /** 3 unless given. */
  readonly channels?: 1 | 3 | 4
  /** Height and width that every image is resized to; their own unless given. */
  readonly size?: Size
  /** Ends of the names of files that are images; .png, .jpg and .jpeg unless given. */
  readonly extensions?: readonly string[]
}

/**
 * The images in the folders of a folder, at any depth: each folder is a class, and classes are numbered in the order of
 * their names (torchvision's `ImageFolder`). Sample i is [u8[h,w,c], class index]; an image is read and decoded when it is
 * asked for, so give its transforms, and workers, the rest to do. `labels` are all class indices, for a stratified split.
 *
 * Throws where there are no classes, or a class has no image.
 */
export class ImageFolder implements Dataset<[image: NdArray, label: NdArray]> {
  readonly classes: readonly string[]
  readonly labels: Int32Array
  /** The images' files. */
  readonly files: readonly string[]
  private readonly options: ImageFolderOptions

  constructor(root: FilePath, options: ImageFolderOptions = {}) {
    const folder = root instanceof URL ? fileURLToPath(root) : root
    const ends = options.extensions ?? ['.png', '.jpg', '.jpeg']
    this.classes = foldersIn(folder)
    if (this.classes.length === 0) fail('data', 'ImageFolder', `${folder} has no folders, of which each would be a class`)
    const members = this.classes.map(name => {
      const files = filesIn(join(folder, name)).filter(file => ends.some(end => file.toLowerCase().endsWith(end)))
      return files.length > 0 ? files : fail('data', 'ImageFolder', `the class ${name} in ${folder} has no images (${ends.join(', ')}). Remove its folder, or give other extensions`)
    })
    this.files = members.flat()
    this.labels = Int32Array.from(members.flatMap((files, label) => files.map(() => label)))
    this.options = options
  }

  get length(): number {
    return this.files.length
  }

  get(index: number): [image: NdArray, label: NdArray] {
    checkIndex('ImageFolder', index, this.length)
    const { channels = 3, size } = this.options
    const image = readImage(this.files[index]!, { channels })
    return [size === undefined ? image : resized(image, ...bothOf(size), 'hwc'), classIndex(this.labels[index]!)]
  }
}

const byName = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name }) => name).sort(byName)
  } catch (error) {
    return fail('data', 'ImageFolder', `${folder} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** All files beneath a folder, folder by folder. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort((a, b) => byName(dirname(a), dirname(b)) || byName(a, b)).map(file => join(folder, file))
