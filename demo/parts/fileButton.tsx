import { useRef } from 'preact/hooks'

interface Props {
  readonly label: string
  /** As of <input type="file" accept>. */
  readonly accept: string
  readonly primary?: boolean
  readonly disabled?: boolean
  readonly choose: (file: File) => void
}

/** A button that asks for one file. */
export function FileButton({ label, accept, primary = false, disabled = false, choose }: Props) {
  const input = useRef<HTMLInputElement>(null)
  const picked = () => {
    const [file] = input.current!.files!
    // Choosing the same file again counts too.
    input.current!.value = ''
    if (file) choose(file)
  }
  return (
    <>
      <button
        type="button"
        class={primary ? 'primary' : ''}
        disabled={disabled}
        onClick={() => input.current!.click()}
      >
        {label}
      </button>
      <input ref={input} type="file" accept={accept} aria-label={label} hidden onChange={picked} />
    </>
  )
}
