import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { buildBrowser, buildTypes, bundleForBrowsers } from '../../scripts/build.mjs'
import { root, run } from '../../scripts/process.mjs'

// The library's file for browsers and its types; that it runs in one is shown by test/browser.

const bundle = await buildBrowser()

t.test('the file has a source map, and needs nothing of Node', async (t) => {
  const text = await readFile(join(root, bundle), 'utf8')
  t.match(text, /\/\/# sourceMappingURL=fmae-webgpu\.js\.map\n$/)
  const { sources } = JSON.parse(await readFile(join(root, `${bundle}.map`), 'utf8'))
  t.ok(sources.includes('../../src/engine/runtime.ts'))
  const strangers = [/\bprocess\./, /\bBuffer\./, /\brequire\(/, /["'`]node:/].filter((use) => use.test(text))
  t.same(strangers, [])
})

t.test('the guide tells its size', async (t) => {
  const guide = await readFile(join(root, 'docs', 'browser.md'), 'utf8')
  const bytes = await readFile(join(root, bundle))
  const [, plain, gzip] = /Size: (\d+) kB, (\d+) kB gzipped/.exec(guide)!.map(Number)
  for (const [told, size] of [
    [plain, bytes.length],
    [gzip, gzipSync(bytes, { level: 9 }).length],
  ] as const)
    t.ok(Math.abs(told / (size / 1000) - 1) < 0.1, `${told} kB, in truth ${size} bytes`)
})

t.test('a Node module in it fails the build', async (t) => {
  const folder = t.testdir({})
  const entry = join(folder, 'entry.ts')
  for (const name of ['node:fs', 'fs']) {
    await writeFile(entry, `import { statSync } from '${name}'\nconsole.log(statSync)\n`)
    const building = bundleForBrowsers({
      entryPoints: [entry],
      outfile: join(folder, 'out.js'),
      logLevel: 'silent',
    })
    await t.rejects(building, { message: /build: 1 error/ }, name)
  }
})

const consumer = `
import { loadClassifier, openDevice, pretrainDefaults, type Tensor } from 'fmae-webgpu'
const runtime = await openDevice()
const classifier = await loadClassifier('x.safetensors', { runtime, crop: 'aligned' })
const [face] = await classifier.predict(new Blob([]))
const probability: number | undefined = face?.probabilities[12]
const logits: Tensor = classifier.reader.model.forward(runtime.zeros([1])).auLogits
const values: ArrayLike<number> = await logits.read()
console.log(probability, values)
const preset: string = pretrainDefaults({}).preset
// @ts-expect-error a recipe has no such setting
pretrainDefaults({ nothing: 1 })
export { preset }
`

t.test('its types do for a strict program without Node', async (t) => {
  await buildTypes()
  // In the repository, where the package's own name leads to its exports.
  const file = join(root, 'dist', 'consumer', 'consumer.ts')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, consumer)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options =
    '--ignoreConfig --noEmit --strict --target es2022 --module esnext --moduleResolution bundler'
  const libraries = ['--lib', 'ES2023,DOM,DOM.Iterable']
  const { code, output } = await run(process.execPath, [tsc, ...options.split(' '), ...libraries, file])
  t.equal(code, 0, output)
})
