// Reads the package sources of a Debian machine, in both formats of apt, and derives the source of another suite on the
// same mirror. So this project needs no host name.

/** Parses one-line sources: "deb [option=value …] URI suite component…". Comments and deb-src lines are left out. */
export function parseOneLine(text) {
  const entries = []
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line)
    if (!match) continue
    const [, options, uri, suite, components] = match
    entries.push({
      suites: [suite],
      components: components.trim().split(/\s+/),
      withSuite: (other) =>
        `deb ${options ? `[${options.trim()}] ` : ''}${uri} ${other} ${components.trim()}\n`,
      extension: 'list',
    })
  }
  return entries
}

/** Parses deb822 stanzas ("Types:", "URIs:", "Suites:", …), whose values may continue on indented lines. */
export function parseDeb822(text) {
  const entries = []
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    const fields = parseFields(stanza)
    const words = (name) => (fields.get(name)?.value ?? '').split(/\s+/).filter(Boolean)
    const enabled = !/^(no|false|off|0)$/i.test(words('enabled')[0] ?? 'yes')
    if (!enabled || !words('types').includes('deb') || words('uris').length === 0) continue
    entries.push({
      suites: words('suites'),
      components: words('components'),
      withSuite: (other) => printFields(fields, { types: ' deb', suites: ` ${other}` }),
      extension: 'sources',
    })
  }
  return entries
}

/** Field names in lower case → { name, value }, the value with its continuation lines as written. */
function parseFields(stanza) {
  const fields = new Map()
  let current = null
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue
    const match = /^([A-Za-z0-9-]+):(.*)$/.exec(line)
    if (match) {
      current = { name: match[1], value: match[2] }
      fields.set(match[1].toLowerCase(), current)
    } else if (current && /^[ \t]/.test(line)) current.value += `\n${line}`
  }
  return fields
}

function printFields(fields, replaced) {
  return [...fields].map(([key, { name, value }]) => `${name}:${replaced[key] ?? value}\n`).join('')
}

/**
 * The source of `suite`-backports on the mirror that serves `suite`.
 * `files`: [{ name, text }] of apt's lists. Returns { known: true } if the machine already has it, { text, extension }
 * of a source file to add, or null when no entry serves `suite`.
 */
export function backportsSource(files, suite) {
  const entries = files.flatMap(({ name, text }) =>
    name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text),
  )
  const wanted = `${suite}-backports`
  const inMain = entries.filter((entry) => entry.components.includes('main'))
  if (inMain.some((entry) => entry.suites.includes(wanted))) return { known: true }
  const base = inMain.find((entry) => entry.suites.includes(suite))
  return base ? { text: base.withSuite(wanted), extension: base.extension } : null
}
