import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/**
 * The floors from the ground up (docs/architecture.md). A file imports from its own floor and those below.
 */
const floors = [
  ['kernels'],
  ['src/engine'],
  ['src/model', 'src/face'],
  ['src/data'],
  ['src/train'],
  ['src/report', 'src/verify', 'src/predict'],
  ['src/cli'],
]
/** Floors whose shared files run in Node and in a browser alike. */
const portable = [
  'kernels',
  'src/engine',
  'src/model',
  'src/data',
  'src/face',
  'src/train',
  'src/report',
  'src/verify',
  'src/predict',
]
const platformFile = /\.(node|browser)\.ts$/
const platformName = /\b(process|Buffer|__dirname|document|window|localStorage)\s*[.([]/

const files = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', 'kernels', 'src'],
  {
    cwd: root,
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((path) => path.endsWith('.ts') && existsSync(join(root, path)))
const texts = new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]))

const roomOf = (path: string) => floors.flat().find((room) => path.startsWith(`${room}/`))
const heightOf = (room: string) => floors.findIndex((rooms) => rooms.includes(room))
const importsOf = (text: string) =>
  ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName)

/** The file that a relative import names, from the root. */
function target(importer: string, specifier: string): string {
  return relative(root, resolve(root, dirname(importer), specifier)).replace(/\.js$/, '.ts')
}

/** Every import from one room to another that is not on a floor below. */
function upwardImports(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  for (const [path, text] of sources) {
    const from = roomOf(path)
    for (const specifier of importsOf(text).filter((name) => name.startsWith('.'))) {
      const to = roomOf(target(path, specifier))
      if (from && to && from !== to && heightOf(to) >= heightOf(from)) found.push(`${path} imports ${to}`)
    }
  }
  return found
}

/** Shared files that name a platform: a Node module, or a global of Node or of a page. */
function platformUses(sources: ReadonlyMap<string, string>): string[] {
  const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const shared = [...sources].filter(
    ([path]) => portable.includes(roomOf(path) ?? '') && !platformFile.test(path),
  )
  return shared.flatMap(([path, text]) => [
    ...importsOf(text)
      .filter((name) => name.startsWith('node:') || platformFile.test(name.replace(/\.js$/, '.ts')))
      .map((name) => `${path} imports ${name}`),
    ...(platformName.exec(withoutComments(text)) ?? []).slice(1).map((name) => `${path} uses ${name}`),
  ])
}

/** Rooms in which files import each other in one direction only, types included. */
const ACYCLIC = ['kernels', 'src/engine', 'src/model', 'src/face', 'src/predict']

/** Groups of files that import each other in a circle, by value or by type. */
function importCycles(sources: ReadonlyMap<string, string>): string[] {
  const imports = new Map(
    [...sources].map(([path, text]) => [path, importsOf(text).map((specifier) => target(path, specifier))]),
  )
  const reached = new Map([...sources.keys()].map((path) => [path, reachableFrom(path, imports)]))
  const together = (path: string) =>
    [...reached.get(path)!].filter((other) => reached.get(other)?.has(path)).sort()
  const circles = [...sources.keys()].filter((path) => reached.get(path)!.has(path))
  return [...new Set(circles.map((path) => together(path).join(' <-> ')))]
}

function reachableFrom(path: string, imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>()
  const open = [...(imports.get(path) ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (reached.has(next)) continue
    reached.add(next)
    open.push(...(imports.get(next) ?? []))
  }
  return reached
}

t.test('kernels, engine and model have no import cycles, not even of types', async (t) => {
  const inside = new Map([...texts].filter(([path]) => ACYCLIC.includes(roomOf(path) ?? '')))
  t.same(importCycles(inside), [])
  const circle = new Map([
    ['src/engine/a.ts', "import type { B } from './b.js'"],
    ['src/engine/b.ts', "import { c } from './c.js'"],
    ['src/engine/c.ts', "import { a } from './a.js'"],
    ['src/engine/d.ts', "import { a } from './a.js'"],
  ])
  t.same(
    importCycles(circle),
    ['src/engine/a.ts <-> src/engine/b.ts <-> src/engine/c.ts'],
    'the rule finds a circle that one type import closes',
  )
})

t.test('imports go down only, and no two rooms of a floor import each other', async (t) => {
  t.ok(files.length > 200)
  t.same(upwardImports(texts), [])
  t.same(
    upwardImports(new Map([['src/engine/x.ts', "import { Fmae } from '../model/fmae.js'"]])),
    ['src/engine/x.ts imports src/model'],
    'the rule finds an import that goes up',
  )
})

t.test('Node and DOM stay out of shared files', async (t) => {
  t.same(platformUses(texts), [])
  t.same(
    platformUses(new Map([['src/data/x.ts', "import 'node:fs'\nprocess.exit()"]])),
    ['src/data/x.ts imports node:fs', 'src/data/x.ts uses process'],
    'the rule finds a module and a global of Node',
  )
})

t.test('no source file is longer than 400 lines', async (t) => {
  const long = [...texts].filter(([, text]) => text.split('\n').length > 401)
  t.same(
    long.map(([path]) => path),
    [],
  )
})
