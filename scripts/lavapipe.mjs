import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backportsSource } from './aptSources.mjs'
import { lastLines } from './packages.mjs'
import { run } from './process.mjs'

const PACKAGES = ['mesa-vulkan-drivers', 'libvulkan1']
const LISTS = '/etc/apt/sources.list'
const PARTS = '/etc/apt/sources.list.d'

/** The reason why lavapipe cannot be installed here, for the user; null if it can. */
export function whyNotInstallable(env = process.env) {
  if (process.platform !== 'linux') return 'this is not Linux'
  const { ids } = distribution()
  if (!ids.includes('debian') && !ids.includes('ubuntu'))
    return 'automatic installation supports only Debian and Ubuntu'
  if (env.FMAE_NO_APT) return 'FMAE_NO_APT prevents its installation'
  if (process.getuid() !== 0) return 'its installation requires root (sudo npm run setup)'
  return null
}

/**
 * Announces and installs Mesa's lavapipe and the Vulkan loader with apt-get. On Debian 12 they come from
 * bookworm-backports, because Dawn rejects the Mesa 22.3 of that release. The extra source is in a temporary folder that
 * only these two apt-get calls read; nothing under /etc changes.
 * Returns null on success, else the error text.
 */
export async function installLavapipe() {
  const { codename, release } = distribution()
  const backports = release === 'debian 12'
  const from = backports ? ` from ${codename}-backports, because the version in Debian 12 is too old` : ''
  console.log(`setup: no usable Vulkan driver; installing ${PACKAGES.join(' and ')} with apt-get${from}.`)
  console.log('setup: set FMAE_NO_APT=1 to prevent this and use a slower software driver from npm.')
  const folder = mkdtempSync(join(tmpdir(), 'fmae-apt-'))
  try {
    const options = ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::http::Timeout=30']
    if (backports) {
      const problem = addBackports(folder, codename)
      if (problem) return problem
      options.push('-o', `Dir::Etc::SourceParts=${folder}`, '-t', `${codename}-backports`)
    }
    return await aptGet(options)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function aptGet(options) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  // One broken source among several makes `update` fail even if ours works, so only the installation counts.
  const update = await run('apt-get', ['update', ...options], { env })
  const install = await run(
    'apt-get',
    ['install', '-y', '--no-install-recommends', ...options, ...PACKAGES],
    { env },
  )
  if (install.code === 0) return null
  const complaints = `${update.output}${install.output}`
    .split('\n')
    .filter((line) => /^(E|W|Err)\b/.test(line))
  return lastLines(complaints.length > 0 ? complaints.join('\n') : install.output, 8)
}

/** Fills `folder` with links to the machine's own source parts and, if need be, one more for backports. */
function addBackports(folder, codename) {
  const parts = existsSync(PARTS) ? readdirSync(PARTS).filter((name) => /\.(list|sources)$/.test(name)) : []
  const paths = [...(existsSync(LISTS) ? [LISTS] : []), ...parts.map((name) => join(PARTS, name))]
  const files = paths.map((name) => ({ name, text: readFileSync(name, 'utf8') }))
  const source = backportsSource(files, codename)
  if (!source)
    return `no apt source of this machine provides "${codename}" main, so its backports are unknown`
  for (const name of parts) symlinkSync(join(PARTS, name), join(folder, name))
  if (!source.known) writeFileSync(join(folder, `fmae-backports.${source.extension}`), source.text)
  return null
}

function distribution() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const field = (name) => new RegExp(`^${name}="?([^"\\n]*)`, 'm').exec(text)?.[1] ?? ''
  const id = field('ID')
  const ids = [id, ...field('ID_LIKE').split(/\s+/)]
  return { ids, codename: field('VERSION_CODENAME'), release: `${id} ${field('VERSION_ID')}` }
}
