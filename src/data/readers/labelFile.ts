import { UserError } from '../../errors.js'
import { activeUnits } from '../actionUnits.js'
import { type FileTree, type FoundFile, MAX_IMAGE_FILE, type NotFound, textOf } from '../fileTree.js'
import { FOLDS_FILE, readFolds } from '../foldsFile.js'
import type { ImageSample } from '../imageSet.js'
import { imageSetOf, type ReadImage } from '../imageSetOf.js'
import { type SubjectRule, subjectRule } from '../subjectRules.js'
import type { Opening, Reader, ReadOptions } from './reader.js'

/** One line of a label file. */
export interface LabelLine {
  /** File and line, for messages. */
  readonly where: string
  /** The image's path as written. */
  readonly path: string
  readonly subject: string | null
  /** Active AUs in any order, 999 for an inactive one; null: not labeled. */
  readonly aus: readonly number[] | null
}

export interface Labels {
  readonly lines: readonly LabelLine[]
  /** The AUs that the file covers; null: not declared, so those that occur. */
  readonly aus: readonly number[] | null
}

export interface LabelFormat {
  /** File extensions without the dot. In a folder, the label file is `labels.` with the first extension. */
  readonly extensions: readonly [string, ...string[]]
  /** @param file name of the file in messages. @throws UserError that names file and line. */
  readonly parse: (text: string, file: string) => Labels
}

/** A reader of images that are listed in a label file. Each format has its own `parse`. */
export function labelFileReader({ extensions, parse }: LabelFormat): Reader {
  const endings = extensions.map((extension) => `.${extension}`)
  const inFolders = `labels${endings[0]}`
  return {
    reads: `a label file (${endings.join(', ')})`,
    noun: 'label file',
    owns: (path) => endings.some((ending) => path.toLowerCase().endsWith(ending)),
    chosen: (files) => files.filter(({ path }) => path === inFolders),

    async open(opening) {
      const { tree, root, name, options } = opening
      const [file] = opening.files
      const { lines, aus } = parse(await textOf(file), file.name)
      if (lines.length === 0) throw new UserError(`${file.name}: no labels; expected one line per image`)
      // Only checks that these are AUs; their order stays that of the file.
      if (aus) activeUnits(aus, null, file.name)
      const samples = samplesOf(lines, aus, options)
      const found = findAll(opening, lines)
      const images = samples.map((sample, at): ReadImage => imageOf(root, sample, lines[at].where, found[at]))
      const folds = await readFolds(tree)
      const set = imageSetOf(images, { name, aus, folds, notes: [] })
      const read = new Set([file.path, FOLDS_FILE])
      for (const image of found) if ('file' in image) read.add(image.file.path)
      return { set, read }
    },
  }
}

function samplesOf(
  lines: readonly LabelLine[],
  aus: readonly number[] | null,
  { subjectFrom }: ReadOptions,
): ImageSample[] {
  const rule = subjectFrom === undefined ? null : subjectRule(subjectFrom)
  return lines.map((line) => ({
    id: line.path,
    subject: subjectOf(line, rule),
    aus: line.aus && activeUnits(line.aus, aus, line.where),
    split: null,
  }))
}

function subjectOf({ path, subject, where }: LabelLine, rule: SubjectRule | null): string | null {
  const found = subject ?? rule?.(path) ?? null
  if (found === null && rule)
    throw new UserError(`${where}: --subject-from finds no subject in img_path "${path}"`)
  return found
}

/** The files of all lines, so that a missing one is reported before training starts. */
function findAll({ root, options }: Opening, lines: readonly LabelLine[]): (FoundFile | NotFound)[] {
  const found = lines.map(({ path }) => root.find(path))
  const missing = found.filter((image) => 'reason' in image).length
  const first = found.findIndex((image) => 'reason' in image)
  const image = found[first]
  if (first < 0 || !('reason' in image) || options.badImages === 'skip') return found
  const more = missing > 1 ? `; ${missing} of ${lines.length} images cannot be read` : ''
  throw new UserError(
    `${lines[first].where}: image ${fullPath(root, lines[first].path)}: ${image.reason}${more}`,
  )
}

function fullPath({ folder }: FileTree, path: string): string {
  return path.startsWith('/') ? path : `${folder.replace(/\/$/, '')}/${path}`
}

function imageOf(root: FileTree, sample: ImageSample, where: string, found: FoundFile | NotFound): ReadImage {
  if ('file' in found) {
    const { file, identity } = found
    return { sample, where, identity, name: file.name, bytes: () => file.bytes(MAX_IMAGE_FILE) }
  }
  const name = fullPath(root, sample.id)
  const refuse = async () => {
    throw new UserError(`${name}: ${found.reason}`)
  }
  return { sample, where, identity: name, name, bytes: refuse }
}
