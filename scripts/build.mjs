import './nodeVersion.mjs'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { main, root, run, SetupError } from './process.mjs'

// Each becomes one ES module in dist/: the program, its threads, the library, the doctor (which must run even if the program does not
// build), the adapter probe of the set-up, the benchmark and the face renderer.
const ENTRIES = {
  train: 'src/cli/train.ts',
  faceWorker: 'src/cli/faceWorker.node.ts',
  index: 'src/index.ts',
  doctor: 'src/cli/commands/doctor.ts',
  adapter: 'src/engine/adapter.node.ts',
  bench: 'bench/bench.ts',
  benchOurs: 'bench/ours.ts',
  renderFaces: 'tools/renderFaces/renderFaces.ts',
}
/** Programs that another one starts, built along with it. */
const HELPERS = { bench: ['benchOurs'], train: ['faceWorker'] }
const SOURCES = [
  'src',
  'kernels',
  'bench',
  'tools',
  'package.json',
  'tsconfig.types.json',
  'scripts/build.mjs',
]
/** The library for browsers, and its types. */
const BROWSER = 'dist/browser/fmae-webgpu.js'
const TYPES = 'dist/types'

/** Builds dist/*.js with esbuild, unless every output is newer than every source. Of npm packages only zod is bundled. */
export async function build(names = ['train', 'index', 'doctor', 'adapter']) {
  const wanted = names.flatMap((name) => [name, ...(HELPERS[name] ?? [])])
  const stale = wanted.filter((name) => !isCurrent(`dist/${name}.js`))
  if (stale.length === 0) return
  await bundle({
    entryPoints: Object.fromEntries(stale.map((name) => [name, ENTRIES[name]])),
    outdir: 'dist',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [bundleZod],
  })
  writeFileSync(join(root, 'dist', 'LICENSES.txt'), licencesOf(['zod']))
}

/** zod has a hundred files, of which the programs need a part: bundled, they start in two thirds of the time. */
const bundleZod = {
  name: 'bundle zod',
  setup: (build) =>
    build.onResolve({ filter: /^zod$/ }, () => ({ path: fileURLToPath(import.meta.resolve('zod')) })),
}

/**
 * Bundles programs with all their packages into ES modules for browsers; `options` are esbuild's, paths from the repository's root.
 * Node's modules are not replaced: a `node:` import fails the build. Returns the names of the bundled packages.
 */
export async function bundleForBrowsers(options) {
  const browser = { platform: 'browser', conditions: ['browser'], target: 'es2022', metafile: true }
  const { metafile } = await bundle({ ...browser, ...options })
  const package_ = /node_modules\/((?:@[^/]+\/)?[^/]+)/
  return [...new Set(Object.keys(metafile.inputs).flatMap((path) => package_.exec(path)?.[1] ?? []))].sort()
}

/** The licenses of packages, which must be distributed with them. */
export function licencesOf(packages) {
  const texts = packages.map((name) => {
    const folder = join(root, 'node_modules', name)
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
    if (!file) throw new SetupError(`build: package ${name} has no license file`)
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
  })
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}

async function bundle(options) {
  const esbuild = await import('esbuild')
  const common = { absWorkingDir: root, bundle: true, format: 'esm', sourcemap: true, logLevel: 'error' }
  try {
    return await esbuild.build({ ...common, ...options })
  } catch (error) {
    throw new SetupError(`build: ${error.errors?.length ?? 'some'} error(s); see above`)
  }
}

/** Builds the library for browsers unless it is newer than every source. Returns its path from the root. */
export async function buildBrowser() {
  if (isCurrent(BROWSER)) return BROWSER
  const packages = await bundleForBrowsers({ entryPoints: ['src/index.ts'], outfile: BROWSER, minify: true })
  writeFileSync(join(root, 'dist', 'browser', 'LICENSES.txt'), licencesOf(packages))
  return BROWSER
}

/** Writes the library's types. Takes seconds, so only `npm run build` does it. */
export async function buildTypes() {
  if (isCurrent(`${TYPES}/src/index.d.ts`)) return
  rmSync(join(root, TYPES), { recursive: true, force: true })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { code, output } = await run(process.execPath, [tsc, '-p', 'tsconfig.types.json'])
  if (code !== 0) throw new SetupError(`${output}build: generating types failed; see above`)
}

async function buildAll() {
  await build()
  const bytes = readFileSync(join(root, await buildBrowser()))
  await buildTypes()
  const kilobytes = (count) => `${Math.round(count / 1000)} kB`
  const gzip = kilobytes(gzipSync(bytes, { level: 9 }).length)
  console.log(`browser bundle: ${kilobytes(bytes.length)} (${gzip} gzip), types in ${TYPES}`)
}

function isCurrent(path) {
  const output = join(root, path)
  if (!existsSync(output)) return false
  const built = statSync(output).mtimeMs
  return SOURCES.every((path) => newestChange(join(root, path)) < built)
}

/** A folder's own time counts too: it changes when a file in it is deleted. Installed packages do not count as sources. */
function newestChange(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((newest, name) => Math.max(newest, newestChange(join(path, name))), stat.mtimeMs)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main(buildAll)
