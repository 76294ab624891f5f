import './nodeVersion.mjs'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleForBrowsers, licencesOf } from './build.mjs'
import { ensurePackages } from './packages.mjs'
import { main, root, SetupError } from './process.mjs'

/** Carries the networks that find faces. */
const HUMAN = 'node_modules/@vladmandic/human'

/** Files that the page fetches, from the repository or from a package. */
const ASSETS = [
  ['demo/index.html', 'index.html'],
  ['data/faces', 'faces'],
  ...['blazeface.json', 'blazeface.bin', 'facemesh.json', 'facemesh.bin'].map((file) => [
    `${HUMAN}/models/${file}`,
    `faceModels/${file}`,
  ]),
]

/** Entry points of the page; shared code goes into separate chunks. */
const ENTRIES = {
  app: 'demo/app.tsx',
  worker: 'demo/worker/worker.ts',
  faceFinder: 'demo/face/finderWorker.ts',
  style: 'demo/style.css',
}

const MODELS_LICENCE = `The face models in faceModels/ (BlazeFace, FaceMesh) are Google's, from MediaPipe, under the Apache License 2.0, whose text is below
under comlink; they were converted by the makers of @vladmandic/human.
`

/**
 * Builds the demo as static files with relative paths, so that any static host can serve them from any folder. Empties
 * `folder` first, so it must be new, empty, or an earlier build. Returns its path.
 */
export async function buildDemo(folder = join(root, 'dist', 'demo')) {
  const inTheWay = existsSync(folder) && readdirSync(folder).length > 0 && !isEarlierBuild(folder)
  if (inTheWay) throw new SetupError(`demo: ${folder} contains other files; choose a new or empty folder`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const packages = await bundleForBrowsers({
    entryPoints: ENTRIES,
    outdir: folder,
    minify: true,
    splitting: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
  })
  writeFileSync(
    join(folder, 'LICENSES.txt'),
    `${MODELS_LICENCE}\n${licencesOf([...packages, '@vladmandic/human'].sort())}`,
  )
  for (const [from, to] of ASSETS) cpSync(join(root, from), join(folder, to), { recursive: true })
  return folder
}

function isEarlierBuild(folder) {
  return ['app.js', 'worker.js', 'faceFinder.js', 'index.html'].every((file) =>
    existsSync(join(folder, file)),
  )
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await ensurePackages()
    const out = process.argv[2]
    console.log(`The demo is built: ${await buildDemo(out && resolve(out))}`)
  })
}
