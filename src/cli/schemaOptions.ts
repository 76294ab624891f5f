import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import * as z from 'zod'
import { UserError } from '../errors.js'

type Values = Record<string, unknown>

/** What a flag needs to know of its field. */
interface Field {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly anyOf?: readonly { const?: unknown }[]
  readonly items?: { readonly type?: string }
}

/** Titles of `--help` with the fields that stand below them; a field of no group is listed first. */
export type OptionGroups = Readonly<Record<string, readonly string[]>>

/**
 * Adds one flag per field of a schema: `batchSize` becomes `--batch-size <n>`. `recipe` holds the defaults that are
 * not the schema's own, for the help text.
 */
export function addSchemaOptions(
  command: Command,
  schema: z.ZodObject,
  groups: OptionGroups = {},
  recipe: Values = {},
): Command {
  for (const [name, field] of Object.entries(fieldsOf(schema))) {
    const option = flagOf(name, field, name in recipe ? recipe[name] : field.default)
    const group = Object.keys(groups).find((title) => groups[title].includes(name))
    if (group) option.helpGroup(group)
    command.addOption(option)
  }
  return command
}

function fieldsOf(schema: z.ZodObject): Record<string, Field> {
  return z.toJSONSchema(schema, { io: 'input' }).properties as Record<string, Field>
}

function flagOf(name: string, field: Field, fallback: unknown): Option {
  const flag = flagName(name)
  const { description = '' } = field
  if (field.type === 'boolean')
    return field.default === true
      ? new Option(`--no-${flag}`, `turn off: ${description}`)
      : new Option(`--${flag}`, description)
  const value = field.enum ? 'name' : field.type === 'array' ? 'list' : isNumber(field) ? 'n' : 'text'
  const notes = [field.enum?.join(' | '), fallback === undefined ? null : `default ${fallback}`]
  const note = notes.filter(Boolean).join('; ')
  const option = new Option(`--${flag} <${value}>`, note ? `${description} (${note})` : description)
  return option.argParser((text: string) => parseValue(text, field))
}

function isNumber({ type, anyOf }: Field): boolean {
  return (
    type === 'number' ||
    type === 'integer' ||
    (anyOf?.every((choice) => typeof choice.const === 'number') ?? false)
  )
}

/** Text that is no number stays text, so that the schema's complaint shows what was typed. */
function parseValue(text: string, field: Field): unknown {
  const number = (part: string) => (part.trim() === '' || Number.isNaN(Number(part)) ? part : Number(part))
  if (field.type === 'array') {
    const parts = text.split(',').map((part) => part.trim())
    return isNumber(field.items ?? {}) ? parts.map(number) : parts
  }
  return isNumber(field) ? number(text) : text
}

/** Recipe, then config file, then flags, later ones winning; checked as a whole. */
export function resolveOptions<S extends z.ZodObject>(schema: S, recipe: Values, flags: Values): z.output<S> {
  const { config, recipe: _recipe, ...given } = flags
  const defaults = Object.fromEntries(
    Object.entries(given).filter(([name, value]) => !isUnsetSwitch(schema, name, value)),
  )
  const file = typeof config === 'string' ? readConfig(config) : {}
  const parsed = schema.safeParse({ ...recipe, ...file, ...defaults }, { reportInput: true })
  if (parsed.success) return parsed.data
  throw new UserError(parsed.error.issues.map((issue) => describeIssue(issue, file, config)).join('\n'))
}

/** commander reports `true` for a `--no-x` flag that was not given: that is no choice of the user's. */
function isUnsetSwitch(schema: z.ZodObject, name: string, value: unknown): boolean {
  const field = fieldsOf(schema)[name]
  return value === true && field?.type === 'boolean' && field.default === true
}

function readConfig(path: string): Values {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`--config ${path}: cannot be read (${(error as Error).message})`)
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Values
  } catch (error) {
    throw new UserError(`--config ${path}: not JSON (${(error as Error).message})`)
  }
  throw new UserError(`--config ${path}: expected a JSON object of options`)
}

/** One line: where it stands, what was expected, what was got. */
function describeIssue(issue: z.core.$ZodIssue, file: Values, config: unknown): string {
  const field = String(issue.path[0] ?? '')
  if (issue.code === 'unrecognized_keys') return `--config ${config}: unknown option ${issue.keys.join(', ')}`
  const where = field in file ? `--config ${config}: ${field}` : `--${flagName(field)}`
  const expected = issue.message.replace(/^.*?(?=expected )/, '').replace(/, received .*$/, '')
  if (issue.input === undefined) return `${where} is missing: ${expected}`
  return `${where}: ${expected}, got ${JSON.stringify(issue.input)}`
}

/** `batchSize` → `batch-size` */
function flagName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
