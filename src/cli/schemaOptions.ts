import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import * as z from 'zod'
import { parseJson } from '../data/schemas.js'
import { UserError } from '../errors.js'
import type { FieldNotes } from '../train/settings.js'

type Values = Record<string, unknown>

/** The parts of a field's JSON Schema that its flag uses. */
interface Field extends Partial<FieldNotes> {
  readonly type?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly anyOf?: readonly { const?: unknown }[]
  readonly items?: { readonly type?: string }
}

/** Adds one flag per field of a schema, under the heading of its group: `batchSize` becomes `--batch-size <n>`. */
export function addSchemaOptions(command: Command, schema: z.ZodObject): Command {
  for (const [name, field] of Object.entries(fieldsOf(schema))) {
    const option = flagOf(name, field)
    if (field.group) option.helpGroup(`${field.group}:`)
    command.addOption(option)
  }
  return command
}

function fieldsOf(schema: z.ZodObject): Record<string, Field> {
  return z.toJSONSchema(schema, { io: 'input' }).properties as Record<string, Field>
}

function flagOf(name: string, field: Field): Option {
  const flag = flagName(name)
  const { description = '' } = field
  if (field.type === 'boolean')
    return field.default === true
      ? new Option(`--no-${flag}`, `do not ${description}`)
      : new Option(`--${flag}`, description)
  const value = field.enum ? 'name' : field.type === 'array' ? 'list' : isNumber(field) ? 'n' : 'text'
  const notes = [field.enum?.join(' | '), field.default === undefined ? null : `default ${field.default}`]
  const note = notes.filter(Boolean).join('; ')
  const option = new Option(`--${flag} <${value}>`, note ? `${description} (${note})` : description)
  return option.argParser(parserOf(`--${flag}`, field))
}

/** Parses the text of a flag, also when the flag is repeated: no value is dropped silently. */
function parserOf(flag: string, field: Field): (text: string, before?: unknown) => unknown {
  // Lists add up: --aus 6 --aus 12 is --aus 6,12.
  if (field.type === 'array')
    return (text, before = []) => [...(before as readonly unknown[]), ...parseList(text, field)]
  if (field.type === 'string' && !field.enum) return once(flag)
  // Scripts append a number to a command line that already has one.
  return (text, before) => {
    if (before !== undefined && String(before) !== text)
      console.log(`Note: ${flag} is given as ${before} and as ${text}; the last value is used.`)
    return parseValue(text, field)
  }
}

/** A parser for texts, such as paths, that refuses a second one. */
export function once(flag: string): (text: string, before?: unknown) => string {
  return (text, before) => {
    if (before !== undefined) throw new UserError(`${flag} is given twice; expected once`)
    return text
  }
}

function isNumber({ type, anyOf }: Field): boolean {
  return (
    type === 'number' ||
    type === 'integer' ||
    (anyOf?.every((choice) => typeof choice.const === 'number') ?? false)
  )
}

/** Text that is not a number stays text, so that the error of the schema shows what was typed. */
function parseValue(text: string, field: Field): unknown {
  const isText = !isNumber(field) || text.trim() === '' || Number.isNaN(Number(text))
  return isText ? text : Number(text)
}

function parseList(text: string, { items = {} }: Field): unknown[] {
  return text.split(',').map((part) => parseValue(part.trim(), items))
}

/** The options of a command that a schema defines: the settings of the run, without those of the command line. */
export function settingsOf<S extends z.ZodObject>(schema: S, options: z.output<S>): z.output<S> {
  const known = Object.entries(options).filter(([name]) => Object.hasOwn(schema.shape, name))
  return Object.fromEntries(known) as z.output<S>
}

/** Merges recipe, config file and flags (later ones override), and checks the result. */
export function resolveOptions<S extends z.ZodObject>(schema: S, recipe: Values, flags: Values): z.output<S> {
  const { config, recipe: _recipe, ...given } = flags
  const defaults = Object.fromEntries(
    Object.entries(given).filter(([name, value]) => !isUnsetSwitch(schema, name, value)),
  )
  const file = typeof config === 'string' ? readConfig(config) : {}
  const parsed = schema.safeParse({ ...recipe, ...file, ...defaults }, { reportInput: true })
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map((issue) => describeIssue(issue, file, config))
  // Two items of a list may be wrong in the same way.
  throw new UserError([...new Set(lines)].join('\n'))
}

/** commander reports `true` for a `--no-x` flag that was not given; the user did not choose that. */
function isUnsetSwitch(schema: z.ZodObject, name: string, value: unknown): boolean {
  const field = fieldsOf(schema)[name]
  return value === true && field?.type === 'boolean' && field.default === true
}

const configSchema = z.record(z.string(), z.unknown(), 'expected a JSON object with options')

function readConfig(path: string): Values {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`--config ${path}: cannot be read (${(error as Error).message})`)
  }
  return parseJson(text, configSchema, `--config ${path}`)
}

/** One line: the place, what was expected, and what was given. */
function describeIssue(issue: z.core.$ZodIssue, file: Values, config: unknown): string {
  const field = String(issue.path[0] ?? '')
  if (issue.code === 'unrecognized_keys') return `--config ${config}: unknown option ${issue.keys.join(', ')}`
  const where = Object.hasOwn(file, field) ? `--config ${config}: ${field}` : `--${flagName(field)}`
  const expected = issue.message.replace(/^.*?(?=expected )/, '').replace(/, received .*$/, '')
  if (issue.input === undefined) return `${where} is required: ${expected}`
  return `${where}: ${expected}, got ${shown(issue.input)}`
}

/** `batchSize` → `batch-size` */
function flagName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** A value as messages show it: short, however long or deep it is. */
function shown(value: unknown): string {
  // JSON has no Infinity, which 1e400 is.
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value) && value.length > 9) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return 'an object'
  try {
    const text = JSON.stringify(value)
    return text.length > 80 ? `${text.slice(0, 77)}...` : text
  } catch {
    return 'a value nested too deeply'
  }
}
