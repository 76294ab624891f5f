import { useRef } from 'preact/hooks'
import type { PickedFile } from '../../src/data/openFiles.browser.js'
import { pickedFiles } from './droppedFiles.js'

interface Props {
  readonly disabled: boolean
  readonly open: (files: Promise<readonly PickedFile[]>) => void
}

/** Buttons that ask for a folder, or for single files where a browser has no folders to give. */
export function FolderButtons({ disabled, open }: Props) {
  return (
    <div class="buttons stacked">
      <FilesButton label="Choose a folder" folder disabled={disabled} open={open} />
      <FilesButton label="Choose files" disabled={disabled} open={open} />
    </div>
  )
}

function FilesButton({
  label,
  folder = false,
  disabled,
  open,
}: Props & { readonly label: string; readonly folder?: boolean }) {
  const input = useRef<HTMLInputElement>(null)
  const picked = () => {
    const files = pickedFiles(input.current!.files!)
    // Choosing the same folder again counts too.
    input.current!.value = ''
    if (files.length > 0) open(Promise.resolve(files))
  }
  return (
    <>
      <button
        type="button"
        class={folder ? 'primary' : ''}
        disabled={disabled}
        onClick={() => input.current!.click()}
      >
        {label}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        {...{ webkitdirectory: folder }}
        aria-label={label}
        hidden
        onChange={picked}
      />
    </>
  )
}
